import { exampleClick, toClickEvent } from '../click/example-click.ts';
import { exampleLinks, exampleMessage } from '../link/example-message.ts';
import { skeletonOf } from '../preview/newsletter-copy.ts';
import { openWeb } from './web.ts';

/** The engagement page with something to see in every table, and a request for each view. */
export async function seededWeb() {
  const web = await openWeb();
  const { counters, previews, events } = web.store;
  const time = Date.now();
  const facts = {
    campaign: 'spring',
    pathway: 'news',
    tags: ['a', 'b'],
    recipientDomain: 'x.example',
  };
  const earlier = time - 50 * 3_600_000;
  counters.sent({ ...facts, time: earlier, links: 2 });
  for (const messageId of ['1', '2', '3']) {
    counters.sent({ ...facts, time, links: 2 });
    const click = { ...facts, time, messageId, part: 'html', count: 2 } as const;
    const by = messageId === '1' ? 'automatic' : 'people';
    counters.book({ ...click, link: 'Shop', position: 1 }, by);
    counters.book({ ...click, link: '=1+1', position: 7 }, by);
  }
  await previews.add('spring', skeletonOf('<a href="link:1">Shop</a>'), 1);
  const message = exampleMessage();
  const issued = web.store.issuer?.issue(message);
  for (const link of exampleLinks) issued?.token(link);
  await issued?.commit();
  const appender = await events.openAppender();
  const click = exampleClick();
  const signs = { isAutomatic: true, automationReasons: ['prefetch', 'user_agent'] } as const;
  await appender.append([
    JSON.stringify(toClickEvent(click, {}, 'a')),
    JSON.stringify(toClickEvent({ ...click, userAgent: 'curl/8.5.0' }, {}, 'b', 3, signs)),
  ]);
  await appender.close();
  /** For each view that needs parameters. */
  const examples: Readonly<Record<string, string>> = {
    '/campaign': '/campaign?campaign=spring',
    '/message': `/message?find=${message.messageId}`,
    '/rows': '/rows?by=campaign',
  };
  return { ...web, examples };
}
