import { expect, test } from 'vitest';
import { table } from '../../src/web/table.ts';

test('columns of texts are told apart from those of numbers', () => {
  const shown = table<string>({
    label: 'Links',
    columns: [
      { title: 'Link', cell: (row) => row },
      { title: 'Clicks', cell: () => '7' },
      { title: 'Place', isText: true, cell: () => 'html 3' },
    ],
    rows: ['Shop'],
    csv: '/rows.csv',
  }).toString();
  expect(shown).toContain(
    '<th scope="col">Link</th><th scope="col">Clicks</th><th scope="col" class="text">Place</th>',
  );
  expect(shown).toContain('<th scope="row">Shop</th><td>7</td><td class="text">html 3</td>');
});
