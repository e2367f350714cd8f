/** Content-Transfer-Encodings as a careful sender writes them: independent of the codecs under test. */
export type TransferEncoding = '7bit' | '8bit' | 'binary' | 'quoted-printable' | 'base64';

/** Encodes a part's content (lines ending in CRLF) for its place in a message. */
export function transferEncode(content: Buffer, encoding: TransferEncoding): Buffer {
  switch (encoding) {
    case 'quoted-printable':
      return Buffer.from(quotedPrintable(content), 'latin1');
    case 'base64':
      return Buffer.from(`${content.toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n`, 'latin1');
    default:
      return content;
  }
}

function quotedPrintable(content: Buffer): string {
  return content
    .toString('latin1')
    .split('\r\n')
    .map((line) => {
      const units = line.split('').map((char, index) => {
        const last = index === line.length - 1;
        const literal = /[!-<>-~]/.test(char) || (/[ \t]/.test(char) && !last);
        return literal
          ? char
          : `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
      });
      const rows: string[] = [];
      let row = '';
      for (const unit of units) {
        if (row.length + unit.length > 75) {
          rows.push(`${row}=`);
          row = '';
        }
        row += unit;
      }
      return [...rows, row].join('\r\n');
    })
    .join('\r\n');
}
