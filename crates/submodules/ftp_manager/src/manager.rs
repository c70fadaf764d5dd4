//! The six requests, as functions that can be called without a broker. They block.

use std::time::Duration;

use edeposit_ftp::{Accounts, Home, ImportLock, Settings, Switches, UserName};
use edeposit_serializers::Value;

use crate::messages::{Request, Response, UserSettings, Userlist};
use crate::{ManagerError, password, removal};

/// How long an import may keep the removal of its user waiting.
const IMPORT_WITHIN: Duration = Duration::from_secs(60);

/// The accounts of one FTP server.
#[derive(Debug)]
pub struct Manager {
    settings: Settings,
    accounts: Accounts,
}

impl Manager {
    /// The accounts of the server that the settings tell of.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            accounts: Accounts::new(&settings),
            settings,
        }
    }

    /// Carries out a request. `redelivered`: it may have been carried out already, but nobody was told.
    ///
    /// # Errors
    /// See [`ManagerError`].
    pub fn carry_out(&self, request: Request, redelivered: bool) -> Result<Response, ManagerError> {
        let done = |()| Response::Done(true);
        match request {
            Request::AddUser { username, password } => self
                .add_user(&username, &password, redelivered)
                .map(done)
                .map_err(|error| error.in_function("add_user")),
            Request::RemoveUser { username } => self
                .remove_user(&username, redelivered)
                .map(done)
                .map_err(|error| error.in_function("remove_user")),
            Request::ChangePassword {
                username,
                new_password,
            } => self
                .change_password(&username, &new_password)
                .map(done)
                .map_err(|error| error.in_function("change_password")),
            Request::ListRegisteredUsers => self
                .list_users()
                .map(|users| Response::Userlist(Userlist { users }))
                .map_err(|error| error.in_function("list_users")),
            Request::SetUserSettings(settings) => self
                .set_user_settings(&settings.username, settings.switches())
                .map(Response::UserSettings),
            Request::GetUserSettings { username } => self
                .get_user_settings(&username)
                .map(Response::UserSettings),
        }
    }

    /// Makes an account, its home and the lock file in it. The account is made last: there is none without a home.
    fn add_user(
        &self,
        username: &str,
        password: &Value,
        redelivered: bool,
    ) -> Result<(), ManagerError> {
        let user = user_name(username)?;
        if let Some(account) = self.accounts.read()?.account(&user) {
            let is_same = |password| password::fits(password, account.hash());
            if redelivered && password::check(password).is_ok_and(is_same) {
                return Ok(());
            }
            return Err(ManagerError::AlreadyRegistered(user));
        }
        // takes long: before the file is locked
        let hash = password::hash(password::check(password)?)?;
        let mut is_new_home = false;
        let added = self.accounts.change(|passwd| {
            if passwd.account(&user).is_some() {
                return Err(ManagerError::AlreadyRegistered(user.clone()));
            }
            let (home, is_new) = Home::create(&self.settings, &user)?;
            is_new_home = is_new;
            if !is_new {
                tracing::warn!(%user, home = %home.path().display(), "the new user gets a home that was there before");
            }
            home.write_lock_file(&self.settings)?;
            passwd.add(
                &user,
                &hash,
                self.settings.users_gid,
                &self.settings.home(&user),
            );
            Ok(())
        });
        match &added {
            Ok(()) => tracing::info!(%user, "a user was added"),
            Err(_) if is_new_home => self.undo_home(&user),
            Err(_) => {}
        }
        added
    }

    /// Removes a home that was made for an account that could not be.
    fn undo_home(&self, user: &UserName) {
        let undone = self.accounts.change(|passwd| {
            if passwd.account(user).is_some() {
                // somebody else's, meanwhile
                return Ok(Vec::new());
            }
            removal::remove_home(&self.settings, user)
        });
        match undone {
            Ok(problems) if problems.is_empty() => {}
            Ok(problems) => tracing::warn!(%user, ?problems, "an unused home is left"),
            Err(error) => tracing::warn!(%user, %error, "an unused home is left"),
        }
    }

    /// Removes an account, and then its home. An import of the user's files is waited for.
    fn remove_user(&self, username: &str, redelivered: bool) -> Result<(), ManagerError> {
        let user = user_name(username)?;
        if !redelivered && self.accounts.read()?.account(&user).is_none() {
            return Err(ManagerError::NotFound(user));
        }
        let lock = ImportLock::acquire(&self.settings, &user, IMPORT_WITHIN)?;
        self.accounts
            .change(|passwd| match passwd.remove(&user) || redelivered {
                true => Ok(()),
                false => Err(ManagerError::NotFound(user.clone())),
            })?;
        tracing::info!(%user, "a user was removed");
        let problems = removal::remove_home(&self.settings, &user)?;
        lock.remove()?;
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ManagerError::HomeLeft { user, problems }),
        }
    }

    /// Replaces the hash of a password. All else of the account stays.
    fn change_password(&self, username: &str, password: &Value) -> Result<(), ManagerError> {
        let user = user_name(username)?;
        if self.accounts.read()?.account(&user).is_none() {
            return Err(ManagerError::NotFound(user));
        }
        let hash = password::hash(password::check(password)?)?;
        self.accounts
            .change(|passwd| match passwd.set_hash(&user, &hash) {
                true => Ok(()),
                false => Err(ManagerError::NotFound(user.clone())),
            })?;
        tracing::info!(%user, "a password was changed");
        Ok(())
    }

    fn list_users(&self) -> Result<Vec<String>, ManagerError> {
        Ok(self.accounts.read()?.names())
    }

    fn set_user_settings(
        &self,
        username: &str,
        switches: Switches,
    ) -> Result<UserSettings, ManagerError> {
        let user = user_name(username)?;
        self.accounts
            .change(|passwd| match passwd.set_gecos(&user, &switches.gecos()) {
                true => Ok(()),
                false => Err(ManagerError::NoSettings(user.clone())),
            })?;
        tracing::info!(%user, switches = switches.gecos(), "a user's settings were changed");
        self.get_user_settings(username)
    }

    fn get_user_settings(&self, username: &str) -> Result<UserSettings, ManagerError> {
        let user = user_name(username)?;
        let passwd = self.accounts.read()?;
        match passwd.account(&user) {
            Some(account) => {
                let switches = account.switches().or(self.settings.switches);
                Ok(UserSettings::new(&user, switches))
            }
            None => Err(ManagerError::NoSettings(user)),
        }
    }
}

fn user_name(name: &str) -> Result<UserName, ManagerError> {
    UserName::new(name).ok_or_else(|| ManagerError::InvalidName(name.to_owned()))
}
