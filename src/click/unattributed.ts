import { createHmac, randomBytes } from 'node:crypto';
import { DAY_SECONDS } from '../lib/days.ts';
import { limitIdentity } from '../link/identity.ts';
import type { Click } from './click.ts';

/** Known to this process alone, and never written. */
const SECRET = randomBytes(32);

/**
 * A click that can be counted, but that nothing leads from to its recipient: neither the message's
 * facts, nor the id, nor the second of the injection. Another id stands for the message, so that
 * its clicks count as those of one message. Only this process can make that id again.
 */
export function unattributed(click: Click): Click {
  const { resolved } = click;
  const { messageId, injectionTime } = resolved.message;
  const message = {
    ...limitIdentity(resolved.message, 'none'),
    messageId: createHmac('sha256', SECRET).update(messageId).digest('base64url').slice(0, 16),
    injectionTime: injectionTime - (injectionTime % DAY_SECONDS),
  };
  return { ...click, resolved: { ...resolved, message } };
}
