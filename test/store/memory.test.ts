import { createMemoryStore } from '../helpers/memory-store/store.ts';
import { storeContract } from './contract.ts';

const store = createMemoryStore();

storeContract(() => store);
