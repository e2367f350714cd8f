const WIDTH = 78;

/** Escapes text for a manual page, so that troff prints each character as it is. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('"', '\\(dq')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('`', '\\(ga');
}

/** The start of a page of the man(7) macros. @param date as `2026-11-23` */
export function heading(title: string, section: number, version: string, date: string): string {
  return `.TH ${title.toUpperCase()} ${section} ${date} "clickmilter ${roff(version)}"\n`;
}

export function section(title: string, ...body: string[]): string {
  return titled('.SH', title, body);
}

export function subsection(title: string, ...body: string[]): string {
  return titled('.SS', title, body);
}

export function paragraph(text: string): string {
  return `.PP\n${filled(text)}`;
}

/** A term in bold and its explanation. */
export function entry(term: string, explanation: string): string {
  return `.TP\n\\fB${roff(term)}\\fR\n${filled(explanation)}`;
}

/** Lines shown as they are. */
export function example(lines: string): string {
  return `.PP\n.in +4n\n.EX\n${roff(lines)}\n.EE\n.in\n`;
}

/** Text after a title begins a paragraph without a macro. */
function titled(macro: string, title: string, body: string[]): string {
  return `${macro} "${roff(title)}"\n${body.join('').replace(/^\.PP\n/, '')}`;
}

/** Puts each sentence on lines of its own, none of them long, for readable diffs. */
function filled(text: string): string {
  const sentences = text.split(/(?<=[.?!)]) (?=[A-Z(])/);
  const lines = sentences.flatMap((sentence) => {
    const rows: string[] = [];
    for (const word of sentence.split(' ').map(roff)) {
      const row = rows.at(-1);
      if (row === undefined || row.length + word.length >= WIDTH) rows.push(word);
      else rows[rows.length - 1] = `${row} ${word}`;
    }
    return rows;
  });
  return `${lines.map((line) => line.replace(/^\./, '\\&.')).join('\n')}\n`;
}
