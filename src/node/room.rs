//! A room's engine with the world attached: links, store, timer, listeners.
//!
//! The engine sits behind one lock. Every input takes it, drains the outputs into queues, and releases it; nothing is
//! awaited and no listener is called while it is held.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, Waker},
    time::Duration,
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, FutureExt, future::poll_fn, pin_mut, select_biased};
use futures_timer::Delay;
use libp2p::{PeerId, Stream};

use super::{
    clock, keeping,
    link::{LinkQueue, ReadError, read_frame, write_frames},
    spawn::spawn,
    stats::Totals,
};
use crate::{
    base::{LinkId, NodeId, Refusal, RoomId, Timestamp, limits::MAX_EVENTS, note},
    engine::{Engine, Event, Input, Output, Restored},
    gossip::Neighbour,
    storage::{Store, StoreError},
    wire::Frame,
};

/// A room that this node is in. Lives as long as somebody holds it.
#[derive(Debug)]
pub(crate) struct Room {
    id: RoomId,
    store: Arc<dyn Store>,
    totals: Arc<Totals>,
    next_link: AtomicU64,
    /// Whether the store refused the last commit.
    unsaved: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: Engine,
    links: BTreeMap<LinkId, Link>,
    /// Events for the application; `None` when nobody listens (a server).
    events: Option<VecDeque<Event>>,
    listener: Option<Waker>,
    /// When the timer task will wake, and how to wake it sooner.
    armed: Option<Timestamp>,
    timer: Option<Waker>,
    idle_since: Timestamp,
    trouble: Option<StoreError>,
}

#[derive(Debug)]
struct Link {
    queue: Arc<LinkQueue>,
    kin: bool,
}

/// Ends its session when it is dropped, wherever that was being served.
struct Attached<'a> {
    room: &'a Arc<Room>,
    link: LinkId,
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        self.room.detach(self.link);
    }
}

impl Room {
    /// Loads what the store has of a room and starts its timer.
    ///
    /// # Errors
    /// [`StoreError`]; for a backend also `Corrupt` when anything stored cannot be read or does not follow.
    pub(crate) async fn open(
        mut engine: Engine,
        id: RoomId,
        store: Arc<dyn Store>,
        totals: Arc<Totals>,
        listened: bool,
    ) -> Result<(Arc<Self>, Restored), StoreError> {
        let restored = keeping::load(&mut engine, id, store.as_ref()).await?;
        let now = clock::now();
        let _ = engine.handle_input(now, Input::Wall(clock::wall()));
        let inner = Inner {
            engine,
            links: BTreeMap::new(),
            events: listened.then(VecDeque::new),
            listener: None,
            armed: None,
            timer: None,
            idle_since: now,
            trouble: None,
        };
        let room = Arc::new(Self {
            id,
            store,
            totals,
            next_link: AtomicU64::new(1),
            unsaved: AtomicBool::new(false),
            inner: Mutex::new(inner),
        });
        spawn(run_timer(Arc::downgrade(&room)));
        Ok((room, restored))
    }

    /// Uses the engine, then carries out what it wants done.
    pub(crate) fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut Engine, Timestamp) -> T) -> T {
        let mut inner = self.lock();
        let result = act(&mut inner.engine, clock::now());
        self.pump(&mut inner);
        result
    }

    /// Reads without changing.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        look(&self.lock().engine)
    }

    /// Serves a session until its stream ends. `first` is a frame that was already read.
    pub(crate) async fn serve(self: &Arc<Self>, peer: PeerId, stream: Stream, pinned: bool, first: Option<Vec<u8>>) {
        let neighbour = Neighbour { node: NodeId(peer.to_bytes()), pinned, kin: false, opener: first.is_none() };
        self.serve_neighbour(neighbour, stream, first).await;
    }

    /// [`Room::serve`] over any byte stream. Dropping the future ends the session.
    pub(crate) async fn serve_neighbour(
        self: &Arc<Self>,
        neighbour: Neighbour,
        stream: impl AsyncRead + AsyncWrite,
        first: Option<Vec<u8>>,
    ) {
        let (link, queue) = self.attach(neighbour);
        let _attached = Attached { room: self, link };
        if let Some(bytes) = first {
            self.frame(link, bytes);
        }
        let (mut reader, writer) = stream.split();
        let reading = async {
            loop {
                match read_frame(&mut reader).await {
                    Ok(bytes) => self.frame(link, bytes),
                    Err(ReadError::Refused(reason)) => {
                        self.totals.refuse(reason);
                        break;
                    }
                    Err(ReadError::Ended) => break,
                }
            }
        };
        let writing = write_frames(writer, &queue, |bytes| self.drained(link, bytes));
        // Whichever half ends first ends the session: a peer that stops reading or writing has left it. What was said
        // last (a refusal) still goes out, if the peer takes it within a second.
        {
            let (reading, writing, closed) = (reading.fuse(), writing.fuse(), queue.closed().fuse());
            pin_mut!(reading, writing, closed);
            let unsent = select_biased! { _ = writing => false, () = reading => true, () = closed => true };
            queue.close();
            if unsent {
                let mut patience = Delay::new(Duration::from_secs(1)).fuse();
                select_biased! { _ = writing => {}, () = patience => {} }
            }
        }
    }

    /// Begins a session over whatever carries its frames: what is queued goes to the peer, in order.
    pub(crate) fn attach(self: &Arc<Self>, neighbour: Neighbour) -> (LinkId, Arc<LinkQueue>) {
        let link = LinkId(self.next_link.fetch_add(1, Relaxed));
        let queue = Arc::new(LinkQueue::default());
        self.lock().links.insert(link, Link { queue: Arc::clone(&queue), kin: neighbour.kin });
        Totals::rise(&self.totals.sessions);
        let Neighbour { node, pinned, kin, opener } = neighbour;
        note!(room = ?self.id, link = link.0, peer = ?node, "session opened");
        self.input(Input::LinkUp { link, node, pinned, kin, opener });
        (link, queue)
    }

    /// A whole frame came in.
    pub(crate) fn frame(self: &Arc<Self>, link: LinkId, bytes: Vec<u8>) {
        self.input(Input::Frame { link, bytes });
    }

    /// So many bytes of frames have left.
    pub(crate) fn drained(self: &Arc<Self>, link: LinkId, bytes: usize) {
        self.input(Input::Drained { link, bytes });
    }

    /// Ends a session. Once; a link that was forgotten meanwhile is left alone.
    pub(crate) fn detach(self: &Arc<Self>, link: LinkId) {
        let removed = self.lock().links.remove(&link);
        if let Some(Link { queue, .. }) = removed {
            queue.close();
            Totals::fall(&self.totals.sessions);
            note!(room = ?self.id, link = link.0, "session ended");
            self.input(Input::LinkDown { link });
        }
        let mut inner = self.lock();
        if inner.links.is_empty() {
            inner.idle_since = clock::now();
        }
    }

    /// Waits for the next event. Only for rooms that are listened to.
    pub(crate) async fn next_event(&self) -> Event {
        poll_fn(|context| {
            let mut inner = self.lock();
            match inner.events.as_mut().and_then(VecDeque::pop_front) {
                Some(event) => Poll::Ready(event),
                None => {
                    inner.listener = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Ends every session after what is queued was written.
    pub(crate) fn close_links(&self) {
        for link in self.lock().links.values() {
            link.queue.close();
        }
    }

    /// Ends the sessions with other nodes than this origin's tabs, without waiting for those that serve them.
    pub(crate) fn forget_links(self: &Arc<Self>) {
        let links: Vec<LinkId> =
            self.lock().links.iter().filter(|(_, link)| !link.kin).map(|(link, _)| *link).collect();
        for link in links {
            self.detach(link);
        }
    }

    /// Folds what makes the next opening slow, if nothing else is to be done. Whether that is under way.
    pub(crate) fn fold_before_rest(self: &Arc<Self>) -> bool {
        self.with(|engine, _| engine.fold_before_rest())
    }

    /// For how long nobody has been here and nothing was left to store.
    pub(crate) fn idle_ms(&self) -> u64 {
        let inner = self.lock();
        let quiet = inner.links.is_empty() && inner.engine.links() == 0 && inner.engine.is_saved();
        if quiet { clock::now().since(inner.idle_since) } else { 0 }
    }

    pub(super) fn input(self: &Arc<Self>, input: Input) {
        if let Input::Frame { link, bytes } = &input {
            tracing::trace!(link = link.0, kind = bytes.first(), bytes = bytes.len(), "frame in");
        }
        self.with(|engine, now| {
            if let Err(reason) = engine.handle_input(now, input) {
                note!(reason = reason.as_str(), "refused");
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pump(self: &Arc<Self>, inner: &mut Inner) {
        while let Some(output) = inner.engine.poll_output() {
            match output {
                Output::Send { link, frame } => {
                    tracing::trace!(link = link.0, kind = frame.first(), bytes = frame.len(), "frame out");
                    if let Some(Link { queue, .. }) = inner.links.get(&link) {
                        queue.push(frame);
                    }
                }
                Output::Persist(batch) => self.persist(batch),
                Output::Fold(job) => self.fold(job),
                Output::Event(event) => self.note(inner, event),
                Output::Disconnect { link, .. } => {
                    if let Some(Link { queue, .. }) = inner.links.get(&link) {
                        queue.close();
                    }
                }
            }
        }
        if inner.events.as_ref().is_some_and(|events| !events.is_empty())
            && let Some(waker) = inner.listener.take()
        {
            waker.wake();
        }
        let deadline = inner.engine.poll_timeout();
        if deadline.is_some_and(|at| inner.armed.is_none_or(|armed| at < armed))
            && let Some(waker) = inner.timer.take()
        {
            waker.wake();
        }
    }

    fn note(&self, inner: &mut Inner, event: Event) {
        if let Event::Counted { reason, .. } = &event {
            self.totals.refuse(*reason);
        }
        if let Event::Equivocation { author, .. } = &event {
            tracing::warn!(?author, "an author signed two operations at one position");
        }
        if let Some(events) = &mut inner.events {
            // The listener drains everything whenever it runs; if it never does, it is told to read anew.
            if events.len() < MAX_EVENTS || event.is_own_doing() {
                events.push_back(event);
            } else if let Some(last) = events.back_mut() {
                *last = Event::Lagged;
            }
        }
    }

    pub(super) fn id(&self) -> RoomId {
        self.id
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Why the store did not take something last, for whoever asks after [`Event::StorageFailed`].
    pub(crate) fn trouble(&self) -> Option<StoreError> {
        self.lock().trouble.clone()
    }

    pub(super) fn note_trouble(&self, error: StoreError) {
        self.lock().trouble = Some(error);
    }

    /// Counts this room among those that cannot be stored, or no longer.
    pub(super) fn set_unsaved(&self, unsaved: bool) {
        match (self.unsaved.swap(unsaved, Relaxed), unsaved) {
            (false, true) => Totals::rise(&self.totals.rooms_unsaved),
            (true, false) => Totals::fall(&self.totals.rooms_unsaved),
            _ => {}
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.set_unsaved(false);
    }
}

/// Tells the engine when its time has come, until the room is gone.
async fn run_timer(room: Weak<Room>) {
    loop {
        let Some(strong) = room.upgrade() else { return };
        let deadline = {
            let mut inner = strong.lock();
            inner.armed = inner.engine.poll_timeout();
            inner.armed
        };
        let now = clock::now();
        if deadline.is_some_and(|at| at <= now) {
            strong.input(Input::Wall(clock::wall()));
            strong.input(Input::Timeout);
            continue;
        }
        drop(strong);
        // Also a room without deadlines looks up now and then, to notice that it is gone.
        let pause = deadline.map_or(60_000, |at| at.since(now)).min(60_000);
        let mut delay = Delay::new(Duration::from_millis(pause)).fuse();
        let mut sooner = poll_fn(|context| {
            let Some(room) = room.upgrade() else { return Poll::Ready(()) };
            let mut inner = room.lock();
            let due = inner.engine.poll_timeout();
            if due.is_some_and(|at| inner.armed.is_none_or(|armed| at < armed)) {
                return Poll::Ready(());
            }
            inner.timer = Some(context.waker().clone());
            Poll::Pending
        })
        .fuse();
        select_biased! { () = sooner => {}, () = delay => {} }
    }
}

/// Ends a session before it reached a room. The peer is told, if it reads within a second.
pub(crate) async fn refuse_early(totals: &Totals, mut stream: Stream, reason: Refusal) {
    totals.refuse(reason);
    note!(reason = reason.as_str(), "session refused");
    let queue = LinkQueue::default();
    queue.push(Frame::Close { reason }.encode());
    queue.close();
    let writing = write_frames(&mut stream, &queue, |_| {}).fuse();
    pin_mut!(writing);
    let mut patience = Delay::new(Duration::from_secs(1)).fuse();
    select_biased! { _ = writing => {}, () = patience => {} }
}
