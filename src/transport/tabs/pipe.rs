//! A byte stream to another tab: a `BroadcastChannel` that only its two ends have joined, and credits.
//!
//! A channel cannot be told to pause, so nothing is sent that the other end has not promised to keep: it says how
//! much it has read. <https://html.spec.whatwg.org/multipage/web-messaging.html#broadcasting-to-other-browsing-contexts>

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt, io,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use futures::{AsyncRead, AsyncWrite, future::poll_fn};
use js_sys::Uint8Array;
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{BroadcastChannel, MessageEvent};

use super::message::PipeKind;
use crate::base::limits::{TAB_MESSAGE_BYTES, TAB_MESSAGE_OVERHEAD_BYTES, TAB_WINDOW_BYTES};

/// The stream. Flushed means handed to the browser. Dropping it ends both directions.
pub struct TabPipe {
    // The browser has one thread for all of this; libp2p asks for `Send` all the same.
    inner: SendWrapper<Inner>,
}

struct Inner {
    channel: BroadcastChannel,
    state: Rc<RefCell<State>>,
    /// The channel calls it as long as it has it; [`Inner::drop`] takes it away before it dies.
    handler: Closure<dyn FnMut(MessageEvent)>,
}

/// What the handler tells the stream.
struct State {
    taken: bool,
    /// Never empty ones. The first has been read up to `offset`.
    received: VecDeque<Uint8Array>,
    offset: u32,
    /// Cost of `received`.
    unread: usize,
    /// Read, and not yet said.
    owed: usize,
    /// Cost of what may still be sent.
    credit: usize,
    end: Option<End>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy)]
enum End {
    /// Said by the other end, or by this one.
    Said,
    /// The other tab is gone, or broke the rules.
    Broken,
}

/// How a bus ends the pipes to a tab that is gone.
pub(super) struct PipeEnd(Weak<RefCell<State>>);

impl PipeEnd {
    pub(super) fn is_dropped(&self) -> bool {
        self.0.strong_count() == 0
    }

    pub(super) fn end(&self) {
        if let Some(state) = self.0.upgrade() {
            update(&state, |state| state.finish(End::Broken));
        }
    }
}

impl TabPipe {
    /// One end of the pipe `name`. The error is the browser's.
    pub(super) fn join(name: &str) -> Result<Self, JsValue> {
        let channel = BroadcastChannel::new(name)?;
        let state = Rc::new(RefCell::new(State {
            taken: false,
            received: VecDeque::new(),
            offset: 0,
            unread: 0,
            owed: 0,
            credit: TAB_WINDOW_BYTES,
            end: None,
            reader: None,
            writer: None,
        }));
        let told = Rc::clone(&state);
        let handler = Closure::new(move |event: MessageEvent| update(&told, |state| state.hear(&event.data())));
        channel.set_onmessage(Some(handler.as_ref().unchecked_ref()));
        Ok(Self { inner: SendWrapper::new(Inner { channel, state, handler }) })
    }

    pub(super) fn end_handle(&self) -> PipeEnd {
        PipeEnd(Rc::downgrade(&self.inner.state))
    }

    /// Tells the other end that this one is ready.
    pub(super) fn take(&self) {
        let _ = self.inner.post(PipeKind::Taken, &[]);
    }

    /// Waits until the other end is ready. False if it never will be.
    pub(super) async fn taken(&self) -> bool {
        poll_fn(|cx| {
            let mut state = self.inner.state.borrow_mut();
            if state.taken || state.end.is_some() {
                return Poll::Ready(state.taken && state.end.is_none());
            }
            state.reader = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl AsyncRead for TabPipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.inner.state.borrow_mut();
        let read = state.read(buf);
        if state.owed >= TAB_WINDOW_BYTES / 4 {
            let owed = u32::try_from(std::mem::take(&mut state.owed)).unwrap_or(u32::MAX);
            let _ = self.inner.post(PipeKind::Read, &owed.to_be_bytes());
        }
        if read > 0 || buf.is_empty() {
            return Poll::Ready(Ok(read));
        }
        match state.end {
            Some(End::Said) => Poll::Ready(Ok(0)),
            Some(End::Broken) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for TabPipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.inner.state.borrow_mut();
        if state.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = state.credit.saturating_sub(TAB_MESSAGE_OVERHEAD_BYTES).min(TAB_MESSAGE_BYTES);
        if room == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let chunk = &buf[..buf.len().min(room)];
        state.credit -= cost(chunk.len());
        self.inner.post(PipeKind::Bytes, chunk).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.finish();
        Poll::Ready(Ok(()))
    }
}

impl Inner {
    fn post(&self, kind: PipeKind, bytes: &[u8]) -> Result<(), JsValue> {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let message = Uint8Array::new_with_length(len + 1);
        message.set_index(0, kind as u8);
        message.subarray(1, len + 1).copy_from(bytes);
        self.channel.post_message(&message)
    }

    fn finish(&self) {
        let first = self.state.borrow().end.is_none();
        if first {
            let _ = self.post(PipeKind::End, &[]);
            update(&self.state, |state| state.finish(End::Said));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.finish();
        self.channel.close();
        let _ = &self.handler;
    }
}

impl State {
    /// Other versions may say more: what is not understood is passed over.
    fn hear(&mut self, data: &JsValue) {
        let Some(message) = data.dyn_ref::<Uint8Array>().filter(|message| message.length() > 0) else { return };
        let body = message.subarray(1, message.length());
        match PipeKind::of(message.get_index(0)) {
            _ if self.end.is_some() => {}
            Some(PipeKind::Taken) => self.taken = true,
            Some(PipeKind::Bytes) if body.length() > 0 => {
                self.unread += cost(body.length() as usize);
                if self.unread + self.owed > TAB_WINDOW_BYTES {
                    return self.finish(End::Broken);
                }
                self.received.push_back(body);
            }
            Some(PipeKind::Read) => {
                let mut count = [0; 4];
                if body.length() == 4 {
                    body.copy_to(&mut count);
                }
                let count = usize::try_from(u32::from_be_bytes(count)).unwrap_or(usize::MAX);
                self.credit = self.credit.saturating_add(count).min(TAB_WINDOW_BYTES);
            }
            Some(PipeKind::End) => self.finish(End::Said),
            Some(PipeKind::Bytes) | None => {}
        }
    }

    fn finish(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    /// Copies from the first message straight into `buf`. Zero when nothing is there.
    fn read(&mut self, buf: &mut [u8]) -> usize {
        let Some(first) = self.received.front() else { return 0 };
        let left = first.length() - self.offset;
        let len = left.min(u32::try_from(buf.len()).unwrap_or(u32::MAX));
        first.subarray(self.offset, self.offset + len).copy_to(&mut buf[..len as usize]);
        self.offset += len;
        if len == left {
            let cost = cost(first.length() as usize);
            self.unread -= cost;
            self.owed += cost;
            self.offset = 0;
            self.received.pop_front();
        }
        len as usize
    }
}

/// What a message counts against the window: its bytes, and something for itself, so that a flood of small ones is
/// bounded too.
fn cost(len: usize) -> usize {
    len + TAB_MESSAGE_OVERHEAD_BYTES
}

/// Changes the state, then wakes whoever waits: after the borrow, because a waker may run its task at once.
fn update(state: &Rc<RefCell<State>>, change: impl FnOnce(&mut State)) {
    let wakers = {
        let mut state = state.borrow_mut();
        change(&mut state);
        [state.reader.take(), state.writer.take()]
    };
    wakers.into_iter().flatten().for_each(Waker::wake);
}

impl fmt::Debug for TabPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TabPipe").field("name", &self.inner.channel.name()).finish_non_exhaustive()
    }
}
