import { expect, test } from 'vitest';
import { tryMessage } from '../../src/commands/try-message.ts';
import { filterSettings } from '../../src/service/filter-settings.ts';
import { practiceLinks } from '../../src/service/links.ts';
import { configurationOf } from '../helpers/configuration.ts';

const headers = 'From: a@example.com\nTo: b@example.com\nSubject: x\n y\n';
/** Of names and values, with the space behind the colon, as the milter counts them. */
const headerBytes = headers.length - 3 * ':\n'.length;

test.each([
  ['no limit of its own', '', 'tracked'],
  ['as many fields as it takes', 'max_header_count = 3', 'tracked'],
  ['more fields', 'max_header_count = 2', 'untouched'],
  ['as many bytes of them', `max_header_size = ${headerBytes}`, 'tracked'],
  ['more bytes', `max_header_size = ${headerBytes - 1}`, 'untouched'],
  ['as many recipients', 'max_recipients = 2', 'tracked'],
  ['more recipients', 'max_recipients = 1', 'untouched'],
])('%s (%s): the message is %s', async (_, limit, verdict) => {
  const config = configurationOf(
    `ESMTP_Listener { click_tracking_enabled = on } Milter_Listener { ${limit} }`,
  );
  const message = Buffer.from(`${headers}\nhttps://example.com/\n`);
  const tried = await tryMessage(message, filterSettings(config), practiceLinks(config), {
    macro: () => undefined,
    sender: undefined,
    recipients: ['a@example.net', 'b@example.net'],
  });
  expect(tried.report.verdict).toBe(verdict);
  if (verdict === 'untouched') {
    expect(tried.report.reason).toBe('over-limit');
    expect(tried.message.equals(message)).toBe(true);
  }
});
