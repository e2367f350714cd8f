import { expect, onTestFinished, test } from 'vitest';
import { catchMail } from '../helpers/catch-mail.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { startPostfix } from '../helpers/postfix.ts';
import { startService } from '../helpers/service.ts';
import { send } from '../helpers/smtp-client.ts';

/** To be stopped when the test is over. */
function stopped<T extends { stop(): Promise<void> }>(peer: T): T {
  onTestFinished(() => peer.stop());
  return peer;
}

// The README's way to learn who clicked: a Postfix in front that sends one copy a recipient.
test('one copy a recipient from the Postfix in front, and each click says whose it was', async () => {
  const catcher = stopped(await catchMail());
  const service = stopped(
    await startService(
      'ESMTP_Listener { click_tracking_enabled = on tracking_domain = "click.test" recipients = single }',
    ),
  );
  const tracking = stopped(
    await startPostfix({
      deliverTo: catcher.port,
      milters: `{ ${service.milter}, default_action=tempfail }`,
    }),
  );
  const front = stopped(
    await startPostfix({
      deliverTo: tracking.port(),
      main: { default_destination_recipient_limit: '1' },
    }),
  );

  const to = ['ada@example.net', 'grace@example.net'];
  const message = 'Subject: x\r\n\r\nhttps://example.com/\r\n';
  expect(await send(front.port(), message, { to })).toMatchObject({ code: 250 });
  for (const recipient of to) {
    const mail = await catcher.take((caught) => caught.to.includes(recipient));
    expect(mail.to).toEqual([recipient]);
    const [url = ''] = /http:\/\/click\.test\/\S+/.exec(mail.raw.toString()) ?? [];
    expect(await follow(service.httpPort, url)).toMatchObject({ status: 302 });
  }
  const clicks = await poll('two clicks', () => {
    const events = service.journal();
    return events.length === to.length && events;
  });
  expect(clicks.map(({ msys }) => msys.track_event['rcpt_to'])).toEqual(to);
});
