import { describe, expect, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';

/** A skeleton with a text and a link. @param tag its structure */
const skeleton = (text: string, tag = 'p') =>
  `<${tag}>${text}</${tag}><a data-link="0" data-label="AAAAAAAAAAAA">Shop</a>`;

let campaigns = 0;

/** What a store promises of the skeletons of newsletters. */
export function previewsContract(open: () => Store): void {
  describe('previews', () => {
    const newCampaign = () => `preview ${campaigns++} ${'ä'.repeat(300)}`;

    test('a campaign without one has none', async () => {
      expect(await open().previews.of(newCampaign())).toEqual([]);
    });

    test('text that a later copy does not share goes, whoever adds first', async () => {
      const { previews } = open();
      const campaign = newCampaign();
      await previews.add(campaign, skeleton('Our offers'), 1);
      await previews.add(campaign, skeleton('Our offers'), 1);
      const [version] = await previews.of(campaign);
      expect(version?.skeleton).toBe(skeleton('Our offers'));
      await previews.add(campaign, skeleton('Our second'), 1);
      await previews.add(campaign, skeleton('Our offers'), 1);
      const [merged, ...others] = await previews.of(campaign);
      expect(merged).toMatchObject({ id: version?.id, since: version?.since });
      expect(merged?.skeleton).not.toMatch(/offers|second/);
      expect(others).toEqual([]);
    });

    test('copies that are added at the same time lose none of what differs', async () => {
      const campaign = newCampaign();
      const places = ['a', 'b', 'c', 'd'];
      const all = (changed: string) =>
        places.map((place) => skeleton(place === changed ? 'mine' : 'shared')).join('');
      await Promise.all(places.map((place) => open().previews.add(campaign, all(place), 1)));
      const [version] = await open().previews.of(campaign);
      expect(version?.skeleton).not.toMatch(/mine|shared/);
    });

    test('the last five structures are kept, the last one first', async () => {
      const { previews } = open();
      const campaign = newCampaign();
      const tags = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'];
      for (const tag of tags) await previews.add(campaign, skeleton('x', tag), 1);
      await previews.add(campaign, skeleton('x', 'h3'), 1);
      const found = (await previews.of(campaign)).map((one) => one.skeleton.slice(1, 3));
      expect(found).toEqual(['h3', 'h6', 'h5', 'h4', 'h2']);
    });

    test('they expire some days after the last copy', async () => {
      const { previews } = open();
      const campaign = newCampaign();
      await previews.add(campaign, skeleton('x'), 3);
      await previews.add(campaign, skeleton('x'), 2);
      const [version] = await previews.of(campaign);
      const days = ((version?.until ?? 0) - Date.now() / 1000) / 86_400;
      expect(days).toBeGreaterThan(2.9);
      expect(days).toBeLessThanOrEqual(3);
    });
  });
}
