import { describe, expect, test } from 'vitest';
import { makeSkeleton } from '../../src/preview/skeleton.ts';
import { labelDigest } from '../../src/preview/text-runs.ts';
import { linkByHref, skeletonOf } from './newsletter-copy.ts';

const A = '<a href="link:0">Shop</a>';
const LINK = `<a data-link="0" data-label="${labelDigest('link 0')}">Shop</a>`;

describe('a skeleton', () => {
  test.each<[what: string, html: string, skeleton: string]>([
    ['a tracked link without its href', `<p>${A}</p>`, `<p>${LINK}</p>`],
    ['a link that is not tracked', `<a href="https://x.example">y</a>${A}`, `<a>y</a>${LINK}`],
    ['a mark that the sender made', `<a data-link="7" href="x">y</a>${A}`, `<a>y</a>${LINK}`],
    [
      'layout',
      `<table width="600" cellpadding=0 bgcolor="#FFF" class="x" id=y title=z><tr><td align=center>${A}`,
      '<table bgcolor="#FFF" cellpadding="0" width="600"><tbody><tr>' +
        `<td align="center">${LINK}</td></tr></tbody></table>`,
    ],
    [
      'harmless styles',
      `<p style="COLOR:Red !important;padding:0 10px;position:fixed;font-family:'Secret',Arial">${A}</p>`,
      `<p style="color:red;padding:0 10px;font-family:arial">${LINK}</p>`,
    ],
    [
      'the colour of a background, not its image',
      `<p style="background: #fff url(https://x.example/t.png)">${A}</p>`,
      `<p data-image="back" style="background-color:#fff">${LINK}</p>`,
    ],
    [
      'the colour behind the image of a background',
      `<p style="background: url(https://x.example/t.png) center #333 no-repeat">${A}</p>`,
      `<p data-image="back" style="background-color:#333">${LINK}</p>`,
    ],
    [
      'a mark for the image of a background',
      `<p background="https://x.example/t.png">x</p><p style="background-image:URL(t.png)">${A}</p>`,
      `<p data-image="back">x</p><p data-image="back">${LINK}</p>`,
    ],
    [
      'a button that is hidden from Outlook alone',
      `<a href="link:0" style="color:#fff;mso-hide:all">Shop</a>`,
      LINK.replace('>', ' style="color:#fff">'),
    ],
    ['no style with an escape', `<p style="color:red;c\\6fmment:x">${A}</p>`, `<p>${LINK}</p>`],
    ['no style with a comment', `<p style="color:r/**/ed">${A}</p>`, `<p>${LINK}</p>`],
    [
      'a box for an image',
      `<img src="https://x.example/secret.png" alt="Dear Anna" width=600 height=200>${A}`,
      `<span data-image="1" style="width:600px;height:200px"></span>${LINK}`,
    ],
    ['nothing for a pixel', `<img src="x" width=1 height=1>${A}`, LINK],
    ['no preheader', `<div style="display:none;max-height:0">Anna</div>${A}`, LINK],
    ['nothing hidden', `<p hidden>Anna</p><p style="opacity:0">Anna</p>${A}`, LINK],
    ['no comment', `<!-- Anna --><!--[if mso]><a href="link:0">x</a><![endif]-->${A}`, LINK],
    ['no script', `<script>"Anna"</script><style>b{}</style><title>Anna</title>${A}`, LINK],
    ['no other world', `<svg><a href="link:0">Anna</a></svg><math><mi>Anna</mi></math>${A}`, LINK],
    [
      'no form',
      `<form action="/x"><input value=Anna><button>Buy</button>${A}</form>`,
      `<div>Buy${LINK}</div>`,
    ],
    [
      'the direction of the document',
      `<html dir="rtl"><body>${A}</body></html>`,
      `<div dir="rtl">${LINK}</div>`,
    ],
    [
      'the direction of the body, where it has its own',
      `<html dir="rtl"><body dir="ltr">${A}</body></html>`,
      `<div dir="ltr">${LINK}</div>`,
    ],
    [
      'other blocks',
      `<nav>x</nav><dl><dt>y<dd style="color:red">z</dl>${A}`,
      `<div>x</div><div><div>y</div><div style="color:red">z</div></div>${LINK}`,
    ],
    [
      'the body as a block',
      `<body bgcolor="red" onload=x>${A}</body>`,
      `<div bgcolor="red">${LINK}</div>`,
    ],
    ['content of elements that it does not know', `<x-y>${A}</x-y>`, LINK],
    [
      'no URL, address or code in text',
      `See https://x.example/a?b or www.x.example, ask anna@x.example, code 12345678901234567890${A}`,
      `See ${'████████ ████████ ████████ ████████'} or ████████ ████████ ask ████████ ████████ code ` +
        `████████ ████████ ████████ ████████${LINK}`,
    ],
    [
      'the spelling of other scripts, and emoji',
      `می\u200cخواهم 👩\u200d👧 \u200eשלום\u200f${A}`,
      `می\u200cخواهم 👩\u200d👧 שלום${LINK}`,
    ],
    ['text as text', `&lt;b&gt; &amp;amp; "x" \u202e\u0007${A}`, `&lt;b&gt; &amp;amp; "x" ${LINK}`],
  ])('has %s', (_, html, skeleton) => {
    const isWhole = /<body/.test(html);
    expect(skeletonOf(html)).toBe(isWhole ? skeleton : `<div>${skeleton}</div>`);
  });

  test('is not made of a document without a tracked link, or a very large one', () => {
    expect(makeSkeleton('<p>Hello</p>', linkByHref)).toBeUndefined();
    expect(makeSkeleton(`${A}<!--${'x'.repeat(600_000)}-->`, linkByHref)).toBeUndefined();
    expect(makeSkeleton(A + '& '.repeat(100_000), linkByHref)).toBeUndefined();
  });

  test('has the beginning of a document that is deep or has many elements', () => {
    expect(skeletonOf(A + '<div>'.repeat(5_000)).length).toBeLessThan(2_000);
    expect(skeletonOf(A + '<table><tr><td>'.repeat(5_000)).length).toBeLessThan(3_000);
    const many = Array.from({ length: 9_000 }, (_, n) => `<a href="link:${n}">x</a>`).join('');
    expect(skeletonOf(many).match(/data-link/g)?.length).toBe(1_000);
  });
});
