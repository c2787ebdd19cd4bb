/** An item of a request that is a list, in JSON already: it goes as a line of its own (`ListItem` on the other side). */
export class ListLine {
  constructor(readonly text: string) {}
}
