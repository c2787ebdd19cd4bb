/** The shared list parameters: who may put entries where. The one place that knows the order. */

export interface SharedList {
  /** Slots in the order in which their entries stand. */
  readonly slots: readonly string[];
  /** `start`: before all foreign entries; `end`: after them. */
  readonly place: 'start' | 'end';
}

export const SHARED_LISTS: Readonly<Record<string, SharedList>> = {
  mydestination: { slots: ['domains'], place: 'end' },
  mynetworks: { slots: ['relay'], place: 'end' },
  virtual_alias_maps: { slots: ['exact', 'aliases', 'identity', 'catchall'], place: 'start' },
  smtpd_client_restrictions: { slots: ['exceptions', 'policy'], place: 'start' },
  smtpd_relay_restrictions: { slots: ['relay'], place: 'start' },
  smtpd_recipient_restrictions: { slots: ['exceptions', 'policy'], place: 'end' },
};

/** Entries of all features for one list, in slot order; entries of one slot keep their order. */
export function inSlotOrder(
  list: string,
  entries: readonly { readonly slot: string; readonly value: string }[],
): readonly string[] {
  const slots = SHARED_LISTS[list]?.slots;
  if (!slots) throw new RangeError(`not a shared list: ${list}`);
  const unknown = entries.find((entry) => !slots.includes(entry.slot));
  if (unknown) throw new RangeError(`${list} has no slot ${unknown.slot}`);
  return slots.flatMap((slot) =>
    entries.filter((entry) => entry.slot === slot).map((entry) => entry.value),
  );
}
