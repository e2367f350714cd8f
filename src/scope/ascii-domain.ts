import { domainToASCII } from 'node:url';

const notAscii = /[\u0080-\uffff]/;
/** The conversion reads all else of ASCII as the syntax of a URL. */
const ofNames = /^[\w.\-\u0080-\uffff]+$/;

/**
 * A domain as DNS has it: internationalised labels as `xn--…`, in lower case, without a dot at the end. SMTPUTF8 mail
 * may bring either spelling. What cannot be converted stays as it is.
 */
export function asciiDomain(domain: string): string {
  const ascii = notAscii.test(domain) && ofNames.test(domain) ? domainToASCII(domain) : '';
  return (ascii || domain.toLowerCase()).replace(/\.$/, '');
}
