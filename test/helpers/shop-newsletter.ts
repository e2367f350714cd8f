/** A newsletter of a shop as a sender's system makes it: `link` gives the href of each of its links. */
export function shopNewsletter(recipient: string, link: (position: number) => string): string {
  const button = (position: number, text: string) =>
    `<a href="${link(position)}" style="display:inline-block;padding:12px 28px;background:#7a3b2e;color:#fff;border-radius:4px;text-decoration:none">${text}</a>`;
  const product = (position: number, name: string, price: string) =>
    `<td width="50%" align="center" style="padding:8px">
<a href="${link(position)}"><img src="https://cdn.shop.example/${position}.jpg" width="240" height="160" alt="${name}"></a>
<p style="margin:6px 0;font-weight:bold">${name}</p><p style="margin:0;color:#666">${price}</p></td>`;
  return `<!DOCTYPE html><html><head><title>Autumn</title><style>a { color: red }</style></head>
<body style="margin:0;background:#f3efe9">
<div style="display:none">Autumn is here, ${recipient}</div>
<table width="600" align="center" cellspacing="0" style="background:#fff;font-family:Georgia,serif">
<tr><td align="center" style="padding:20px"><img src="https://cdn.shop.example/logo.png" width="160" height="40" alt="Shop"></td></tr>
<tr><td align="center" style="padding:28px 20px;background:#e9ddcf">
<h1 style="margin:0 0 8px;color:#4a2a20">Autumn collection</h1>
<p style="margin:0 0 16px">Dear ${recipient}, these are picked for you.</p>${button(0, 'Shop now')}</td></tr>
<tr><td><table width="100%"><tr>${product(1, 'Coats', 'from €89')}${product(2, 'Boots', 'from €59')}</tr></table></td></tr>
<tr><td align="center" style="padding:20px"><p>Looking for a present?</p>${button(3, 'Gift guide')}
<p><a href="${link(4)}" style="color:#7a3b2e">New: scarves</a></p></td></tr>
<tr><td align="center" style="padding:16px;color:#777;font-size:12px"><p>You get this mail as ${recipient}.</p>
<a href="${link(5)}" style="color:#777">Imprint</a></td></tr>
</table></body></html>`;
}
