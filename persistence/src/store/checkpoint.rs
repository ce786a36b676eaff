//! A copy of a running store.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use super::Store;
use crate::checkpoint::{Checkpoint, CheckpointProgress};
use crate::error::StoreError;

/// Copying.
impl Store {
    /// Makes a copy of the running store in `directory`, which [`Store::open`] opens: every commit that was settled as
    /// durable before the call is in it, with its index and with the snapshots. The copy is durable on return. It has the
    /// store's own id: it is the same store at an earlier time, not a second one to write to beside it.
    ///
    /// Writers go on. On the store's file system the copy's tables are the store's own under second names, so it costs the
    /// newest part of the log, at most about 256 MiB, and some syncs; elsewhere it costs what the store takes. `directory`
    /// appears under its name when all of it is there, and never before: a copy that was given up or failed leaves nothing,
    /// one that the process did not survive is removed when the store is opened again (or, on another file system, is called
    /// `directory` with `.unfinished`, and is to be removed). Only [`StoreError::CopyNotDurable`] tells of a copy that stays.
    ///
    /// Blocks on the disk, for as long as it takes. `progress` is told before each step and after each file; its `Break` gives
    /// up, and it must not close or reopen the store, which waits for the copy to end.
    ///
    /// # Errors
    /// `NotWritable` if `directory` is there already, is inside the store, or the directory it is to be in is not there;
    /// `NoRoom`, before anything is written there, where the copy does not fit or would leave the store's own file system
    /// less than 128 MiB to write on, and where others take the room meanwhile; `Refused` while another copy is made, and
    /// for a store in memory; `Stopped`; `Cancelled` after a `Break`; `Closed`; `CopyNotDurable` where the copy is there all
    /// the same; `Engine` for what else the system refuses. The store goes on in each case, unless the disk that others fill
    /// is its own and its next write fails, too.
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    /// use dormouse_persistence::Store;
    ///
    /// let store = Store::open("bank")?;
    /// let copy = store.checkpoint("/backup/today", &mut |_| ControlFlow::Continue(()))?;
    /// println!("all up to offset {} in {} bytes", copy.durable, copy.bytes);
    /// # Ok::<(), dormouse_persistence::StoreError>(())
    /// ```
    pub fn checkpoint(
        &self,
        directory: impl AsRef<Path>,
        progress: &mut dyn FnMut(CheckpointProgress) -> ControlFlow<()>,
    ) -> Result<Checkpoint, StoreError> {
        let (directory, start) = (directory.as_ref(), Instant::now());
        let session = self.writable()?;
        let copied = session
            .engine
            .checkpoint(directory, &mut session.until_ended(progress));
        let path = directory.display();
        match copied {
            Ok(copy) => {
                let (durable, bytes, took) = (copy.durable.get(), copy.bytes, start.elapsed());
                tracing::info!(%path, durable, bytes, ?took, "a copy of the store was made");
                Ok(copy)
            }
            Err(StoreError::Cancelled { .. }) if session.ended() => Err(StoreError::Closed),
            Err(error @ StoreError::CopyNotDurable { .. }) => {
                tracing::warn!(%path, %error, "a copy of the store was made, and may lose its name");
                Err(error)
            }
            Err(error) => {
                tracing::warn!(%path, %error, "no copy of the store was made");
                Err(error)
            }
        }
    }
}
