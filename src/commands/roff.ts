/** Text for a manual page: what troff would read as a request, an escape or a typographic sign is itself again. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('"', '\\(dq')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('`', '\\(ga')
    .replace(/^\./gm, '\\&.');
}

/** The start of a page of the man(7) macros. @param date as `2026-11-23`, or empty */
export function heading(title: string, section: number, version: string, date: string): string {
  return `.TH ${title.toUpperCase()} ${section} ${roffArgument(date)} ${roffArgument(`clickmilter ${version}`)}\n`;
}

export function section(title: string, ...body: string[]): string {
  return `.SH ${roffArgument(title)}\n${body.join('')}`;
}

export function subsection(title: string, ...body: string[]): string {
  return `.SS ${roffArgument(title)}\n${body.join('')}`;
}

export function paragraph(text: string): string {
  return `.PP\n${roff(text)}\n`;
}

/** A term in bold and its explanation. */
export function entry(term: string, explanation: string): string {
  return `.TP\n\\fB${roff(term)}\\fR\n${roff(explanation)}\n`;
}

/** Lines shown as they are. */
export function example(lines: string): string {
  return `.PP\n.in +4n\n.EX\n${roff(lines)}\n.EE\n.in\n`;
}

function roffArgument(text: string): string {
  return `"${roff(text)}"`;
}
