import { makeSkeleton } from '../../src/preview/skeleton.ts';
import { merge } from '../../src/preview/text-runs.ts';
import { linkByHref } from '../preview/newsletter-copy.ts';
import type { Product } from './growth.ts';

/** Two copies of a newsletter, of at most 256 KB, become a skeleton. About 5 bytes for each `n`. */
const COPIES: Readonly<Record<string, (n: number) => string>> = {
  'declarations × elements': (n) => `<p style="${'color:red;'.repeat(20)}">x</p>`.repeat(n / 50),
  'declarations × one element': (n) => `<p style="${'color:red;'.repeat(n / 2)}">x</p>`,
  'length × values': (n) => `<p style="font-family:${'arial,'.repeat(16)}arial">`.repeat(n / 30),
  'attributes × elements': (n) => `<p ${'a=1 b=2 '.repeat(12)}>x</p>`.repeat(n / 20),
  'attributes × one element': (n) => {
    const all = Array.from({ length: n / 2 }, (_, index) => `a${index}=1`);
    return `<p ${all.join(' ')}>x</p>`;
  },
  'formatting × blocks': (n) =>
    Array.from({ length: n / 40 }, (_, index) => `<font size=${index}>`).join('') +
    '<p>x'.repeat(n),
  'depth × siblings': (n) => '<table><tr><td>'.repeat(n / 20) + '<td>x'.repeat(n / 2),
  'anchors × tables': (n) => '<a href=x><table>'.repeat(n / 4),
  'one long word': (n) => `<p>${'x-'.repeat(2 * n)}</p>`,
  'addresses × texts': (n) => '<p>a@b http://c www.d</p>'.repeat(n / 10),
  'characters to escape': (n) => `<p>${'& '.repeat(n)}</p>`,
  'links × labels': (n) =>
    Array.from({ length: n / 10 }, (_, index) => `<a href="link:${index}">x</a>`).join(''),
};

export const products: Readonly<Record<string, Product>> = Object.fromEntries(
  Object.entries(COPIES).map(([name, make]): [string, Product] => [
    name,
    (n) => {
      const [one, other] = ['Anna', 'Bob'].map(
        (reader) => `<a href="link:0">Shop</a><p>${reader}</p>${make(n)}`,
      );
      return {
        bytes: 2 * (one?.length ?? 0),
        run() {
          const skeletons = [one, other].map((html) => makeSkeleton(html ?? '', linkByHref));
          const merged = merge(skeletons[0] ?? '', skeletons[1] ?? '');
          return Buffer.byteLength(merged ?? '');
        },
      };
    },
  ]),
);
