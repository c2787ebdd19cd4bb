/** Latin small letter dotless i, whose capital is the one of another letter. */
const DOTLESS_I = '\u0131';
/** The one script that folds to its capitals. */
const CHEROKEE = /\p{Script=Cherokee}/u;
/** What nearly every address consists of. */
// eslint-disable-next-line no-control-regex -- all of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/;

/** Case folding as Postfix does it for lookup tables: Unicode full case folding (CaseFolding.txt, casefold(3)). */
export function foldCase(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return Array.from(text, (character) => {
    if (character === DOTLESS_I) return character;
    // The capital sharp s folds to what the small one does.
    const capital = character.toLowerCase().toUpperCase();
    return CHEROKEE.test(character) ? capital : capital.toLowerCase();
  }).join('');
}
