// The status line and the number of people: always what is known, never what is hoped.

/** `[kind, sentence]`. `arrived`: the room's state was here once; `retryAt`: when the next try to connect is due. */
export function stateOf({ pending, status, synced }, { arrived, retryAt, failure }) {
  const edits = pending === 1 ? '1 edit' : `${pending} edits`;
  if (failure) return ['failed', failure];
  if (!arrived) {
    const seconds = Math.ceil((retryAt - Date.now()) / 1_000);
    if (status === 'disconnected' && seconds > 0) return ['offline', `No connection – next try in ${seconds} s`];
    return ['connecting', 'Connecting…'];
  }
  if (status !== 'connected') {
    return ['offline', pending ? `Offline – ${edits} kept in this tab` : 'Offline – edits are kept in this tab'];
  }
  if (pending) return ['pending', `${edits} pending`];
  return synced ? ['saved', 'Saved'] : ['connecting', 'Catching up…'];
}

/** How many people are in the room, this one included; the backend is a peer, but not one of the people. */
export function peopleIn({ author, peers }, backendPeer) {
  return new Set([author, ...peers.filter(({ peerId }) => peerId !== backendPeer).map((peer) => peer.author)]).size;
}
