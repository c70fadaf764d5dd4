//! Publishers by FTP: accounts and imports, with a real ProFTPD and ordinary FTP clients.

mod manager;
mod monitor;
mod monitor_faults;
mod monitor_homes;
mod monitor_log;
mod monitored;
mod proftpd_init;
mod together;
