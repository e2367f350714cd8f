/** The same JSON without the control characters that JSON itself does not escape: U+007F to U+009F. */
export function printableJson(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}
