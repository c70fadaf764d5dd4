//! What can happen to the process of a daemon.
