/** Text out of mail, made harmless to look at: nothing in it moves the cursor, hides or turns letters around. */

/** Longest name of an attachment that is shown, in characters. */
const MAX_NAME_LENGTH = 120;

/* eslint-disable no-control-regex -- these are the characters that must not get through */
/** Control characters but tab and newline, DEL, C1, lone surrogates. */
const CONTROL =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
/** Characters that turn the direction of writing, or are not seen at all. */
const UNSEEN =
  /[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\u034f/g;
/* eslint-enable no-control-regex */

/** Several lines: newlines and tabs stay, CRLF becomes one newline. */
export function safeText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(UNSEEN, '').replace(CONTROL, '\ufffd');
}

/** One line. */
export function safeLine(text: string): string {
  return safeText(text.replace(/[\r\n\t]+/g, ' ')).trim();
}

/** The name of an attachment without folders, never '', `.` or `..`. */
export function safeFileName(name: string): string {
  const base = safeLine(name).split(/[/\\]/).at(-1)?.trim() ?? '';
  const visible = base.replace(/^\.+/, '');
  if (visible === '') return '\u2013';
  return visible.length > MAX_NAME_LENGTH
    ? `${visible.slice(0, MAX_NAME_LENGTH / 2)}…${visible.slice(-MAX_NAME_LENGTH / 3)}`
    : visible;
}
