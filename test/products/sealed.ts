import { randomBytes } from 'node:crypto';
import { SealKeys } from '../../src/link/seal-keys.ts';
import { createSealedLinks } from '../../src/link/sealed-links.ts';

const keys = new SealKeys([{ id: 1, from: 0, secret: randomBytes(32) }]);

/** Sealed links under a key of this process. */
export const sealed = createSealedLinks(
  () => keys,
  () => [],
);
