import { expect, test } from 'vitest';
import { dayAndHour, dayOf, daysAfter, isCalendarDay, timeOf } from '../../src/lib/days.ts';

test.each([
  ['1970-01-01T00:00:00.000Z', '1970-01-01', '1970-01-01T00'],
  ['2028-02-29T23:59:59.999Z', '2028-02-29', '2028-02-29T23'],
  ['2028-03-01T00:00:00.000Z', '2028-03-01', '2028-03-01T00'],
])('%s is in the day %s and the hour %s', (text, day, hour) => {
  const time = Date.parse(text);
  expect(dayAndHour(time)).toMatchObject({ day, hour });
  expect(dayOf(time)).toBe(day);
  expect(timeOf(day)).toBe(Date.parse(`${day}T00:00:00Z`));
  expect(timeOf(hour)).toBe(Date.parse(`${hour}:00:00Z`));
});

test.each([
  ['2028-02-28', 1, '2028-02-29'],
  ['2028-03-01', -1, '2028-02-29'],
  ['2027-12-31', 1, '2028-01-01'],
  ['2027-03-28', 0, '2027-03-28'],
])('%s and %d days later', (day, days, expected) => {
  expect(daysAfter(day, days)).toBe(expected);
});

test.each(['2028-02-29', '1999-12-31'])('%s is a day', (text) => {
  expect(isCalendarDay(text)).toBe(true);
});

test.each(['2027-02-29', '2026-02-31', '2026-13-01', '2026-1-1', '2026-01-01T00', 'today', ''])(
  '%j is not a day',
  (text) => {
    expect(isCalendarDay(text)).toBe(false);
  },
);
