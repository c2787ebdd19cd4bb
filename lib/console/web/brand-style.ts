/**
 * The brand's colour as a stylesheet: the content security policy allows no inline style.
 */
import type { Brand } from '../../contract.js';

const COLOUR =
  /^(#[0-9a-f]{3,8}|[a-z]{3,24}|(rgb|hsl|hwb|lab|lch|oklab|oklch)\([0-9a-z%.,/ +-]{1,48}\))$/i;

/** The colour when it is nothing but a CSS colour, else null: it goes into a stylesheet. */
export function brandColour(color: string | undefined): string | null {
  return color !== undefined && COLOUR.test(color) ? color : null;
}

/** Sets `--brand` for the frame and everything inside; empty when the brand has no colour of its own. */
export function brandStyle(brand: Brand): string {
  const color = brandColour(brand.color);
  return color === null ? '' : `:root{--brand:${color}}\n`;
}
