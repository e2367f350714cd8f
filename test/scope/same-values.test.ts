import { describe, expect, test } from 'vitest';
import { trackingOptions } from '../../src/config/tracking-options.ts';
import { contextVariables } from '../../src/scope/context-variables.ts';

const origin = { file: '/c.conf', line: 1, column: 1 };

/** Each context variable that stands for an option, and texts of which some are values of it. */
const texts = {
  click_tracking_enabled: [
    '1',
    '0',
    'true',
    'False',
    ' ON ',
    'off',
    'Enabled',
    'disabled',
    'yes',
    '2',
  ],
  click_tracking_scheme: ['http', 'https', 'HTTPS', 'Http', ' https ', 'ftp', 'http:'],
  tracking_domain: [
    'click.example',
    'CLICK.example:8080',
    ' click.example ',
    'a b',
    'http://x',
    ':1',
  ],
  tracking_link_expiry: ['60', ' 60 ', '060', '0', '-1', '1e3', '2147483647', '2147483648'],
} as const;

describe('an option and its context variable take the same values', () => {
  for (const [name, list] of Object.entries(texts)) {
    test.each(list)(`${name}: %j`, (text) => {
      const key = name as keyof typeof texts;
      const scalar = { kind: 'scalar', text, origin } as const;
      const option = trackingOptions[key].type.read(scalar, () => {});
      expect(contextVariables[key].parse(text)).toBe(option);
    });
  }
});
