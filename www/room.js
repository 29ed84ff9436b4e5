// Which room a page shows, at which backend, and the link to it. ?room=name, ?backend=ws://host:port/path (default: this server).

const query = new URLSearchParams(location.search);

export const room = query.get('room') || 'default';
export const backend = query.get('backend') || `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;

/** `button` copies the link to this room. */
export function bindShare(button, toast) {
  button.addEventListener('click', async () => {
    const link = new URL(location.pathname, location.origin);
    link.searchParams.set('room', room);
    if (query.has('backend')) link.searchParams.set('backend', backend);
    try {
      await navigator.clipboard.writeText(link.href);
      toast('Link copied');
    } catch {
      // No clipboard outside a secure context, or no permission.
      prompt('Copy this link', link.href);
    }
  });
}
