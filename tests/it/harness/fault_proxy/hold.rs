//! Stopping the world at one command.

use std::sync::Mutex;

use tokio::sync::oneshot;

use super::Broken;

/// A command that is being held, or will be. Dropping it breaks the command's connection.
pub(crate) struct Held {
    reached: oneshot::Receiver<()>,
    release: oneshot::Sender<()>,
}

impl Held {
    /// Waits until it is held: the command itself, or the server's answer to it.
    pub(crate) async fn reached(&mut self) {
        (&mut self.reached).await.expect("the proxy holds the command");
    }

    /// Lets it go on.
    pub(crate) fn release(self) {
        let _ = self.release.send(());
    }
}

/// The proxy's half of [`Held`].
pub(super) struct Hold {
    reached: oneshot::Sender<()>,
    released: oneshot::Receiver<()>,
}

impl Hold {
    /// Says that it is held, and waits.
    pub(super) async fn hold(self) -> Result<(), Broken> {
        let _ = self.reached.send(());
        self.released.await.map_err(|_| Broken)
    }
}

/// One command that is waited for.
pub(super) struct Order {
    left: usize,
    chosen: fn(&[u8]) -> bool,
    /// Not the command is held, but the reply to it.
    pub(super) reply: bool,
    pub(super) hold: Hold,
}

/// What is waited for, if anything.
#[derive(Default)]
pub(super) struct Orders(Mutex<Option<Order>>);

impl Orders {
    pub(super) fn place(&self, left: usize, chosen: fn(&[u8]) -> bool, reply: bool) -> Held {
        let (reached, is_reached) = oneshot::channel();
        let (release, released) = oneshot::channel();
        let order = Order { left, chosen, reply, hold: Hold { reached, released } };
        *self.0.lock().expect("no panic") = Some(order);
        Held { reached: is_reached, release }
    }

    /// Is this the command that is waited for?
    pub(super) fn take(&self, command: &[u8]) -> Option<Order> {
        let mut order = self.0.lock().expect("no panic");
        // An order whose `Held` is gone is nobody's any more.
        let waiting = order.as_mut().filter(|order| !order.hold.reached.is_closed())?;
        if !(waiting.chosen)(command) {
            return None;
        }
        waiting.left -= 1;
        if waiting.left > 0 { None } else { order.take() }
    }
}
