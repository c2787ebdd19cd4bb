import type { RequestHandler } from 'express';
import helmet from 'helmet';

/**
 * The content security policy and its companions, on every answer. HSTS is left to whoever ends TLS in front of us.
 * `same-origin` as referrer policy, because with `no-referrer` browsers send `Origin: null` on our own forms.
 */
export function securityHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'same-origin' },
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
  });
}
