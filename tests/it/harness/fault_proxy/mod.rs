//! A TCP proxy of the tests' own: what a network may do, between two programs that are real.
//!
//! [`Link`] says what the network does now; it is changed at run time, for connections that are
//! there, too. A connection that lost bytes can never be whole again: it is reset when bytes would
//! get through once more. [`FaultProxy::hold_reply`] and [`FaultProxy::hold_request`] stop the world
//! at one command.

mod hold;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use hold::Held;
use hold::{Hold, Order, Orders};

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Everything gets through.
    Whole,
    /// Everything gets through, so much later in each direction.
    Slow(Duration),
    /// Every connection is reset, and each new one at once.
    Cut,
    /// Connections are accepted and stay open, and nothing gets through.
    BlackHole,
    /// What is sent arrives; nothing comes back.
    HalfOpen,
}

/// The proxy; it cuts everything when it is dropped.
pub(crate) struct FaultProxy {
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    shared: Arc<Shared>,
    acceptor: tokio::task::AbortHandle,
}

struct Shared {
    targets: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
    link: watch::Sender<Link>,
    orders: Orders,
}

impl FaultProxy {
    /// A proxy in front of these ports of loopback; each new connection goes to the next. To be
    /// called inside a runtime.
    pub(crate) fn start(targets: &[u16]) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let port = listener.local_addr().expect("an address").port();
        let listener = TcpListener::from_std(listener).expect("a listener in the runtime");
        let shared = Arc::new(Shared {
            targets: Mutex::default(),
            turn: AtomicUsize::new(0),
            link: watch::Sender::new(Link::Whole),
            orders: Orders::default(),
        });
        let accepting = Arc::clone(&shared);
        let acceptor = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(Arc::clone(&accepting), client));
            }
        });
        let proxy = Self { port, shared, acceptor: acceptor.abort_handle() };
        proxy.to(targets);
        proxy
    }

    /// New connections go to these ports from now on.
    pub(crate) fn to(&self, ports: &[u16]) {
        let targets = ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port)));
        *self.shared.targets.lock().expect("no panic") = targets.collect();
    }

    /// Changes the network.
    pub(crate) fn set(&self, link: Link) {
        self.shared.link.send_replace(link);
    }

    /// Holds back the reply to the `nth` chosen command from now on, once the server has given it.
    /// For one caller at a time: what comes back next on that connection is taken for the reply.
    pub(crate) fn hold_reply(&self, nth: usize, chosen: fn(&[u8]) -> bool) -> Held {
        self.shared.orders.place(nth, chosen, true)
    }

    /// Holds back the `nth` chosen command itself: the server hears nothing of it.
    pub(crate) fn hold_request(&self, nth: usize, chosen: fn(&[u8]) -> bool) -> Held {
        self.shared.orders.place(nth, chosen, false)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.set(Link::Cut);
    }
}

impl Shared {
    fn next_target(&self) -> Option<SocketAddr> {
        let targets = self.targets.lock().expect("no panic");
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        targets.get(turn % targets.len().max(1)).copied()
    }
}

/// The connection cannot go on.
struct Broken;

async fn connection(shared: Arc<Shared>, mut client: TcpStream) {
    let mut link = shared.link.subscribe();
    // Nobody hears of a connection that is begun in a black hole.
    let now = *link.wait_for(|link| *link != Link::BlackHole).await.expect("the proxy is there");
    let server = match shared.next_target() {
        Some(target) if now != Link::Cut => TcpStream::connect(target).await.ok(),
        _ => None,
    };
    let Some(mut server) = server else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ended = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let held = Mutex::new(None);
        let pump = |way| Pump { way, shared: &shared, held: &held, link: link.clone(), lost: false };
        let there = pump(Way::ToServer).run(from_client, to_server);
        let back = pump(Way::ToClient).run(from_server, to_client);
        tokio::try_join!(there, back)
    };
    if ended.is_err() {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

/// One direction of one connection.
struct Pump<'a> {
    way: Way,
    shared: &'a Shared,
    /// Set by the way there, for the way back.
    held: &'a Mutex<Option<Hold>>,
    link: watch::Receiver<Link>,
    lost: bool,
}

impl Pump<'_> {
    async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), Broken> {
        let mut buffer = vec![0; 64 * 1024];
        let mut late: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
        loop {
            let due = late.front().map(|(due, _)| *due);
            tokio::select! {
                biased;
                changed = self.link.changed() => {
                    changed.map_err(|_| Broken)?;
                    self.delay()?;
                }
                () = until(due), if due.is_some() => {
                    let (_, bytes) = late.pop_front().ok_or(Broken)?;
                    if bytes.is_empty() {
                        return to.shutdown().await.map_err(|_| Broken);
                    }
                    to.write_all(&bytes).await.map_err(|_| Broken)?;
                }
                read = from.read(&mut buffer), if late.back().is_none_or(|(_, last)| !last.is_empty()) => {
                    // No bytes: the end. It comes as late as everything else.
                    let bytes = &buffer[..read.map_err(|_| Broken)?];
                    let Some(delay) = self.delay()? else {
                        self.lost = true;
                        // The end is not heard of either.
                        if bytes.is_empty() {
                            let _ = self.link.changed().await;
                            return Err(Broken);
                        }
                        continue;
                    };
                    self.pause(bytes).await?;
                    late.push_back((Instant::now() + delay, bytes.to_vec()));
                }
            }
        }
    }

    /// How late bytes get through now; not at all is `None`.
    fn delay(&self) -> Result<Option<Duration>, Broken> {
        let delay = match (*self.link.borrow(), self.way) {
            (Link::Cut, _) => return Err(Broken),
            (Link::BlackHole, _) | (Link::HalfOpen, Way::ToClient) => None,
            (Link::Slow(delay), _) => Some(delay),
            (Link::Whole, _) | (Link::HalfOpen, Way::ToServer) => Some(Duration::ZERO),
        };
        if self.lost && delay.is_some() { Err(Broken) } else { Ok(delay) }
    }

    /// Waits where somebody asked for it.
    async fn pause(&self, bytes: &[u8]) -> Result<(), Broken> {
        let hold = match self.way {
            Way::ToClient => self.held.lock().expect("no panic").take(),
            Way::ToServer => match self.shared.orders.take(bytes) {
                Some(Order { reply: true, hold, .. }) => {
                    *self.held.lock().expect("no panic") = Some(hold);
                    None
                }
                order => order.map(|order| order.hold),
            },
        };
        match hold {
            Some(hold) => hold.hold().await,
            None => Ok(()),
        }
    }
}

async fn until(due: Option<Instant>) {
    // The timer is no better than a millisecond.
    if let Some(due) = due.filter(|due| *due > Instant::now()) {
        tokio::time::sleep_until(due).await;
    }
}
