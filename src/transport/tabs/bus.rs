//! Who else is there: tabs of one origin on one named `BroadcastChannel`, each holding a lock that the others wait for,
//! so that they learn of its end at once, without timers.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    fmt,
    rc::Rc,
    task::{Poll, Waker},
};

use futures::future::{AbortHandle, abortable, poll_fn};
use js_sys::Uint8Array;
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::spawn_local;
use web_sys::{BroadcastChannel, MessageEvent};

use super::{
    Tab, TabEvent, TabId,
    locks::{self, LockGuard},
    message::{Said, What},
    pipe::{PipeEnd, TabPipe},
};
use crate::base::limits::{MAX_TAB_OFFERS, MAX_TABS};

/// This tab on a bus. The last clone to be dropped leaves it.
#[derive(Clone)]
pub struct TabBus {
    // The browser has one thread for all of this; libp2p asks for `Send` all the same.
    inner: SendWrapper<Rc<Inner>>,
}

struct Inner {
    mouth: Rc<Mouth>,
    state: Rc<RefCell<State>>,
    /// The channel calls it as long as it has it; [`Inner::drop`] takes it away before it dies.
    handler: Closure<dyn FnMut(MessageEvent)>,
    /// Given back last: what the others take for this tab's end.
    _life: LockGuard,
}

/// What it takes to say something.
struct Mouth {
    name: String,
    tab: TabId,
    channel: BroadcastChannel,
}

struct State {
    info: Vec<u8>,
    tabs: BTreeMap<TabId, Known>,
    pipes: Vec<(TabId, PipeEnd)>,
    next_pipe: u32,
    changed: bool,
    asked: bool,
    offers: VecDeque<Offer>,
    listener: Option<Waker>,
}

struct Known {
    info: Vec<u8>,
    heard: u64,
    watch: AbortHandle,
}

impl TabBus {
    /// Joins the bus `name` as `tab`, which says `info` of itself. `None` if the browser has no channels or no locks.
    pub async fn join(name: String, tab: TabId, info: Vec<u8>) -> Option<Self> {
        // Before anybody hears of this tab: who finds the lock free takes it for dead.
        let life = locks::request(&life_of(tab), false).await?;
        let channel = BroadcastChannel::new(&name).ok()?;
        let mouth = Rc::new(Mouth { name, tab, channel });
        let state = Rc::new(RefCell::new(State {
            info,
            tabs: BTreeMap::new(),
            pipes: Vec::new(),
            next_pipe: 0,
            changed: false,
            asked: false,
            offers: VecDeque::new(),
            listener: None,
        }));
        let (speaker, heard) = (Rc::clone(&mouth), Rc::clone(&state));
        let handler = Closure::new(move |event: MessageEvent| {
            let Some(bytes) = event.data().dyn_ref::<Uint8Array>().map(Uint8Array::to_vec) else { return };
            if let Ok(said) = Said::decode(&bytes) {
                hear(&speaker, &heard, said);
            }
        });
        mouth.channel.set_onmessage(Some(handler.as_ref().unchecked_ref()));
        let inner = Inner { mouth, state, handler, _life: life };
        inner.say_here(None, true);
        Some(Self { inner: SendWrapper::new(Rc::new(inner)) })
    }

    /// This tab.
    #[must_use]
    pub fn tab(&self) -> TabId {
        self.inner.mouth.tab
    }

    /// The others, in the order of their ids.
    #[must_use]
    pub fn tabs(&self) -> Vec<Tab> {
        let state = self.inner.state.borrow();
        let tab = |(tab, known): (&TabId, &Known)| Tab { tab: *tab, info: known.info.clone(), heard: known.heard };
        state.tabs.iter().map(tab).collect()
    }

    /// Says something new of this tab to all.
    pub fn announce(&self, info: Vec<u8>) {
        self.inner.state.borrow_mut().info = info;
        self.inner.say_here(None, false);
    }

    /// Asks a tab to say again what it is.
    pub fn ask(&self, tab: TabId) {
        self.inner.say_here(Some(tab), true);
    }

    /// The next event. Dropping the future loses none. For one task only.
    pub async fn next_event(&self) -> TabEvent {
        poll_fn(|cx| {
            let mut state = self.inner.state.borrow_mut();
            if std::mem::take(&mut state.changed) {
                return Poll::Ready(TabEvent::Changed);
            }
            if std::mem::take(&mut state.asked) {
                return Poll::Ready(TabEvent::Asked);
            }
            if let Some(offer) = state.offers.pop_front() {
                return Poll::Ready(TabEvent::Offered(offer));
            }
            state.listener = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// A pipe to `tab`, once that has taken it; `None` if it does not want it, or is gone. A frozen tab says nothing:
    /// the caller sets the time. Dropping the future withdraws the offer.
    pub async fn open(&self, tab: TabId) -> Option<TabPipe> {
        let (pipe, number) = {
            let mut state = self.inner.state.borrow_mut();
            let number = state.next_pipe;
            state.next_pipe = number.wrapping_add(1);
            (state.pipe(&self.inner.mouth.pipe_name(self.tab(), number), tab)?, number)
        };
        self.inner.mouth.say(Some(tab), What::Open { pipe: number });
        pipe.taken().await.then_some(pipe)
    }
}

/// A pipe that another tab offers. Dropping it refuses.
pub struct Offer {
    tab: TabId,
    pipe: TabPipe,
}

impl Offer {
    /// Whose.
    #[must_use]
    pub fn tab(&self) -> TabId {
        self.tab
    }

    /// Takes it.
    #[must_use]
    pub fn take(self) -> TabPipe {
        self.pipe.take();
        self.pipe
    }
}

fn life_of(tab: TabId) -> String {
    format!("peersync/tab/{tab:?}")
}

fn hear(mouth: &Rc<Mouth>, state: &Rc<RefCell<State>>, said: Said) {
    if said.from == mouth.tab || said.to.is_some_and(|to| to != mouth.tab) {
        return;
    }
    match said.what {
        What::Here { answer, info } => {
            let own = {
                let mut now = state.borrow_mut();
                if let Some(known) = now.tabs.get_mut(&said.from) {
                    known.info = info;
                    known.heard += 1;
                } else if now.tabs.len() < MAX_TABS {
                    let watch = watch(said.from, state);
                    now.tabs.insert(said.from, Known { info, heard: 1, watch });
                } else {
                    // Not noticed, and not answered: it does without this tab.
                    return;
                }
                now.changed = true;
                now.asked |= answer && said.to.is_some();
                now.info.clone()
            };
            if answer {
                mouth.say(Some(said.from), What::Here { answer: false, info: own });
            }
        }
        What::Open { pipe } => {
            let mut now = state.borrow_mut();
            if now.tabs.contains_key(&said.from)
                && now.offers.len() < MAX_TAB_OFFERS
                && let Some(pipe) = now.pipe(&mouth.pipe_name(said.from, pipe), said.from)
            {
                now.offers.push_back(Offer { tab: said.from, pipe });
            }
        }
    }
    wake(state);
}

/// Forgets `tab`, and ends the pipes to it, once its lock is free.
fn watch(tab: TabId, state: &Rc<RefCell<State>>) -> AbortHandle {
    let state = Rc::clone(state);
    let (task, handle) = abortable(async move {
        drop(locks::freed(&life_of(tab)).await);
        let ends: Vec<PipeEnd> = {
            let mut state = state.borrow_mut();
            state.tabs.remove(&tab);
            state.changed = true;
            let (gone, left) = std::mem::take(&mut state.pipes).into_iter().partition(|(of, _)| *of == tab);
            state.pipes = left;
            let gone: Vec<(TabId, PipeEnd)> = gone;
            gone.into_iter().map(|(_, end)| end).collect()
        };
        ends.iter().for_each(PipeEnd::end);
        wake(&state);
    });
    spawn_local(async move {
        let _ = task.await;
    });
    handle
}

/// After the borrow, because a waker may run its task at once.
fn wake(state: &Rc<RefCell<State>>) {
    let listener = state.borrow_mut().listener.take();
    if let Some(listener) = listener {
        listener.wake();
    }
}

impl State {
    fn pipe(&mut self, name: &str, tab: TabId) -> Option<TabPipe> {
        if !self.tabs.contains_key(&tab) {
            return None;
        }
        let pipe = TabPipe::join(name).ok()?;
        self.pipes.retain(|(_, end)| !end.is_dropped());
        self.pipes.push((tab, pipe.end_handle()));
        Some(pipe)
    }
}

impl Mouth {
    fn say(&self, to: Option<TabId>, what: What) {
        let bytes = Said { to, from: self.tab, what }.encode();
        let _ = self.channel.post_message(&JsValue::from(Uint8Array::from(bytes.as_slice())));
    }

    /// Known to the two ends only.
    fn pipe_name(&self, opener: TabId, number: u32) -> String {
        format!("{}/{opener:?}-{number}", self.name)
    }
}

impl Inner {
    fn say_here(&self, to: Option<TabId>, answer: bool) {
        let info = self.state.borrow().info.clone();
        self.mouth.say(to, What::Here { answer, info });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.mouth.channel.set_onmessage(None);
        self.mouth.channel.close();
        let _ = &self.handler;
        let (tabs, pipes, offers) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            (std::mem::take(&mut state.tabs), std::mem::take(&mut state.pipes), std::mem::take(&mut state.offers))
        };
        tabs.values().for_each(|known| known.watch.abort());
        pipes.iter().for_each(|(_, end)| end.end());
        drop(offers);
    }
}

impl fmt::Debug for TabBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TabBus").field("tab", &self.tab()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("tab", &self.tab).finish_non_exhaustive()
    }
}
