//! What many ask at the same moment, answered together.
//!
//! Whoever asks first waits until nobody else on its thread is ready to go on; everybody who has asked by then is
//! served at once. With nobody else, that is without delay.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// Where questions of one kind meet.
pub struct Gathering<Q, A>(Waiting<Q, A>);

type Waiting<Q, A> = Arc<Mutex<Vec<Asked<Q, A>>>>;

/// A question, and who waits for its answer.
#[derive(Debug)]
pub struct Asked<Q, A> {
    /// What was asked.
    pub question: Q,
    /// Who asked; whoever has gone meanwhile waits for nothing.
    pub answer: oneshot::Sender<A>,
}

impl<Q: Send + 'static, A: Send + 'static> Gathering<Q, A> {
    /// Asks together with others: the first one's `serve` answers all of them, also when whoever asked goes
    /// away. `None`: it broke off.
    pub async fn ask<F>(
        &self,
        question: Q,
        serve: impl FnOnce(Vec<Asked<Q, A>>) -> F + Send + 'static,
    ) -> Option<A>
    where
        F: Future<Output = ()> + Send,
    {
        let (answer, answered) = oneshot::channel();
        if self.join(Asked { question, answer }) {
            let turn = Turn(Some(Arc::clone(&self.0)));
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                serve(turn.take()).await;
            });
        }
        answered.await.ok()
    }

    /// Is it the first?
    fn join(&self, asked: Asked<Q, A>) -> bool {
        // Nothing is done under the lock that could leave half of it.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(asked);
        all.len() == 1
    }
}

/// The turn of whoever asked first. If it never comes, because the runtime ends, nobody waits for it.
struct Turn<Q, A>(Option<Waiting<Q, A>>);

impl<Q, A> Turn<Q, A> {
    /// Everybody who has asked by now; the next one is the first again.
    fn take(mut self) -> Vec<Asked<Q, A>> {
        self.0.take().map(|all| taken(&all)).unwrap_or_default()
    }
}

impl<Q, A> Drop for Turn<Q, A> {
    fn drop(&mut self) {
        drop(self.0.take().map(|all| taken(&all)));
    }
}

fn taken<T>(all: &Mutex<Vec<T>>) -> Vec<T> {
    mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner))
}

impl<Q, A> Default for Gathering<Q, A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<Q, A> fmt::Debug for Gathering<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gathering")
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn who_asks_at_the_same_moment_is_served_together() {
        let gathering = Gathering::default();
        let ask = |number: usize| {
            gathering.ask(number, |all: Vec<Asked<usize, (usize, usize)>>| async move {
                let together = all.len();
                for asked in all {
                    let _ = asked.answer.send((asked.question, together));
                }
            })
        };
        let answers = join_all((0..3).map(ask)).await;
        assert_eq!(answers, [Some((0, 3)), Some((1, 3)), Some((2, 3))]);
        assert_eq!(ask(7).await, Some((7, 1)), "and then anew");
        assert_eq!(gathering.ask(8, |all| async move { drop(all) }).await, None);
        assert_eq!(ask(9).await, Some((9, 1)));
    }

    #[test]
    fn nobody_waits_for_a_turn_that_never_comes() {
        let new = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let gathering = Arc::new(Gathering::<u8, ()>::default());
        let ask = |runtime: &tokio::runtime::Runtime| {
            let gathering = Arc::clone(&gathering);
            runtime.spawn(async move { gathering.ask(1, |all| async move { drop(all) }).await })
        };
        let ending = new();
        let first = ask(&ending);
        ending.block_on(async {});
        let other = new();
        let second = ask(&other);
        drop(ending);
        assert_eq!(other.block_on(second).unwrap(), None);
        assert!(other.block_on(first).unwrap_err().is_cancelled());
    }
}
