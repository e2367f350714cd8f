// What is repaired here is broken by loading it.
import 'ioredis';

/*
 * ioredis 6 has a class that extends String. In V8 that turns String.prototype into a dictionary, for the whole process, and
 * every `charCodeAt` into a look-up by name: a tenth of the milter's time. Reading through primitive strings never
 * mends that; reading through String objects does, once V8 takes notice (after ten times).
 */
const read = (text: { length: number }): number => text.length;
for (let times = 0; times < 100; times++) read(Object('text'));
