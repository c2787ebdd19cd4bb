// What a script adds to pages that work without it.
(() => {
  'use strict';

  const focusErrors = (root) => root.querySelector('[data-focus]')?.focus();

  document.addEventListener('DOMContentLoaded', () => focusErrors(document));
  document.addEventListener('htmx:afterSettle', (event) => focusErrors(event.detail.elt));

  // An answer that is no part of ours (the console's sign-in page, a proxy's error) becomes the whole page.
  document.addEventListener('htmx:beforeSwap', (event) => {
    const { xhr } = event.detail;
    if (xhr.getResponseHeader('Mail-Part') !== null) return;
    event.detail.shouldSwap = false;
    window.location.assign(window.location.href);
  });
})();
