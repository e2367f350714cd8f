import fc from 'fast-check';

/** Values that take the place of others in JSON: wrong types, signs, counts and lengths. */
const STRANGERS: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e300,
  -1e300,
  Number.MAX_SAFE_INTEGER + 2,
  '',
  '0',
  '-1',
  'NaN',
  '\0',
  '\ud800',
  '__proto__',
  [],
  [[]],
  {},
  { msys: 1 },
  { toString: 1 },
];

/** A real value after damage: bytes changed, cut, doubled or added; for JSON, parts of another type too. */
export function damaged(text: string): fc.Arbitrary<string> {
  const ways = [bytesChanged(text), cut(text), inserted(text), fc.string({ unit: 'binary' })];
  try {
    const value: unknown = JSON.parse(text);
    ways.push(partsReplaced(value), fc.json(), nested());
  } catch {
    // No JSON: bytes only.
  }
  return fc.oneof(...ways);
}

function bytesChanged(text: string): fc.Arbitrary<string> {
  const bytes = Buffer.from(text);
  const change = fc.tuple(fc.nat({ max: Math.max(0, bytes.length - 1) }), fc.nat({ max: 255 }));
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    const changed = Buffer.from(bytes);
    for (const [at, byte] of changes) if (at < changed.length) changed[at] = byte;
    return changed.toString();
  });
}

function cut(text: string): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat({ max: text.length }), fc.nat({ max: text.length }))
    .map(([a, b]) => text.slice(Math.min(a, b), Math.max(a, b)));
}

function inserted(text: string): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat({ max: text.length }), fc.oneof(fc.string({ unit: 'binary' }), fc.constant(text)))
    .map(([at, more]) => text.slice(0, at) + more + text.slice(at));
}

function partsReplaced(value: unknown): fc.Arbitrary<string> {
  return fc
    .array(fc.tuple(fc.nat(), fc.nat({ max: STRANGERS.length })), { minLength: 1, maxLength: 3 })
    .map((changes) => {
      let changed: unknown = structuredClone(value);
      for (const [place, stranger] of changes) {
        const places = placesIn(changed);
        const at = places[place % places.length];
        if (at === undefined) changed = structuredClone(STRANGERS[stranger]);
        else if (stranger === STRANGERS.length) delete at.parent[at.key];
        else at.parent[at.key] = structuredClone(STRANGERS[stranger]);
      }
      return JSON.stringify(changed) ?? 'null';
    });
}

function nested(): fc.Arbitrary<string> {
  return fc.constantFrom('[', '{"msys":').map((open) => open.repeat(50_000));
}

interface Place {
  readonly parent: Record<string, unknown>;
  readonly key: string;
}

function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const parent = value as Record<string, unknown>;
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...placesIn(parent[key])]);
}
