import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { rightsOf } from '../../src/web/rights.ts';

test('a connection that broke off is not one to a unix socket', () => {
  const request = new IncomingMessage(new Socket());
  expect(request.socket.remoteAddress).toBeUndefined();
  expect(rightsOf(request, false)).toEqual({ look: false, change: false });
  expect(rightsOf(request, true)).toEqual({ look: true, change: true });
});
