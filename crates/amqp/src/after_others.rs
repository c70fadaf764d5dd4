//! Giving way, so that what others have can be dealt with together.

use std::future::poll_fn;
use std::task::Poll;

/// Returns when the tasks that can go on have done so. A task that collects from many does it before it looks: each would
/// wake it alone, and it would tell the broker of each alone. Other than tokio's `yield_now`, it does not look at sockets
/// and timers first, which costs a call to the system.
pub(crate) async fn after_others() {
    let mut gave_way = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
