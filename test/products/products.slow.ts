import { describe, test } from 'vitest';
import * as clicks from './clicks.ts';
import * as configuration from './configuration.ts';
import * as delivery from './delivery.ts';
import * as events from './events.ts';
import { expectLinear } from './measured.ts';
import * as message from './message.ts';
import * as previews from './previews.ts';
import * as reports from './reports.ts';

/** The products of each part of the way from mail to report, by the file that holds them. */
const TABLES = { message, delivery, clicks, events, previews, reports, configuration };

describe.each(Object.entries(TABLES))('%s', (table, { products }) => {
  test.each(Object.keys(products))('%s: time, memory and output grow with the bytes', (name) =>
    expectLinear(table, name),
  );
});
