/** A sentence or two above the content of a page; `_kit/_notices.njk` draws it. Everything in it is plain text. */
export interface Notice {
  /** Its outline, icon and colour. */
  readonly kind: 'ok' | 'warn' | 'bad' | 'info' | 'off';
  readonly title: string;
  readonly paragraphs: readonly string[];
  readonly points?: readonly string[];
  /** `status` is read out when there is time, `alert` at once. */
  readonly role?: 'status' | 'alert';
  /** Takes the focus when the page comes. */
  readonly focus?: boolean;
  /** `path` is below the mount point. */
  readonly link?: { readonly text: string } & (
    { readonly href: string } | { readonly path: string }
  );
  /** A button of its own. */
  readonly action?: {
    readonly href: string;
    readonly text: string;
    readonly fields: readonly { readonly name: string; readonly value: string }[];
  };
  /** What a program said, folded. */
  readonly details?: { readonly summary: string; readonly text: string };
}
