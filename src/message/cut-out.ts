import type { Range } from './candidate.ts';

/** A text without some of its ranges. */
export interface CutText {
  readonly text: string;
  /** Where a character of it stands in the original. */
  origin(offset: number): number;
}

/** Pieces joined at a time: an array of all of them would take many times the memory of the text. */
const AT_A_TIME = 10_000;

/** @param ranges gives the ranges, which come in order and do not overlap; called twice, to count them first */
export function cutOut(text: string, ranges: () => Iterable<Range>): CutText {
  let count = 0;
  for (const _ of ranges()) {
    count++;
  }
  /** Where each piece begins, in the result and in the original. */
  const starts = new Uint32Array(count + 1);
  const origins = new Uint32Array(count + 1);
  const joined: string[] = [];
  let pieces: string[] = [];
  let length = 0;
  let piece = 0;
  let from = 0;
  const keep = (to: number): void => {
    starts[piece] = length;
    origins[piece++] = from;
    length += to - from;
    pieces.push(text.slice(from, to));
    if (pieces.length === AT_A_TIME) {
      joined.push(pieces.join(''));
      pieces = [];
    }
  };
  for (const { start, end } of ranges()) {
    keep(start);
    from = end;
  }
  keep(text.length);
  joined.push(pieces.join(''));
  return {
    text: joined.join(''),
    origin(offset) {
      let low = 0;
      let high = count;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((starts[middle] as number) <= offset) {
          low = middle;
        } else {
          high = middle - 1;
        }
      }
      return (origins[low] as number) + offset - (starts[low] as number);
    },
  };
}
