/**
 * Which icons a page uses, so that its sprite holds these and no others. One per rendering.
 */
export interface Icons {
  /** Notes the icon and returns the id of its symbol. */
  use(name: string): string;
  used(): readonly string[];
}

export function createIcons(): Icons {
  const names = new Set<string>();
  return {
    use(name) {
      names.add(name);
      return `mail-i-${name}`;
    },
    used: () => [...names].sort(),
  };
}
