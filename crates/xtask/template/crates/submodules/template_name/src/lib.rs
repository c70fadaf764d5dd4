//! The submodule `template_name`: template_about.
//!
//! [`messages`] has what goes over RabbitMQ, [`Settings`] what an operator can set. [`TemplateName`] is a handler for a
//! daemon, and a library that can be called without one.

mod error;
pub mod messages;
mod settings;

pub use error::TemplateNameError;
pub use settings::Settings;

use edeposit_amqpdaemon::{Exception, Handler, Sendback, Submodule};

use messages::{Progress, Request, Response, Reverse, Reversed};

/// The submodule: reacts to the requests of [`messages`].
#[derive(Debug)]
pub struct TemplateName {
    settings: Settings,
}

impl TemplateName {
    /// Sets up with the given settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The text from its last character to its first.
    ///
    /// # Errors
    /// The text is longer than `MAX_CHARACTERS`.
    pub fn reverse(&self, text: &str) -> Result<String, TemplateNameError> {
        let characters = text.chars().count();
        let limit = self.settings.max_characters;
        if characters > limit {
            return Err(TemplateNameError::TooLong { characters, limit });
        }
        Ok(text.chars().rev().collect())
    }
}

/// It needs nothing but RabbitMQ: what else a submodule needs is looked at in `look_around`.
impl Submodule for TemplateName {
    const NAME: &'static str = "template_name";
    type Settings = Settings;

    fn set_up(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self::new(settings))
    }
}

impl Handler for TemplateName {
    type Request = Request;
    type Response = Response;

    async fn react(&self, request: Request, sendback: Sendback) -> Result<Response, Exception> {
        match request {
            Request::Reverse(Reverse { text }) => {
                let progress = Response::Progress(Progress { percent: 50 });
                sendback.send(&progress).await?;
                let text = self.reverse(&text)?;
                Ok(Response::Reversed(Reversed { text }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_largest_length_is_reversed() {
        let submodule = TemplateName::new(Settings { max_characters: 4 });
        assert_eq!(submodule.reverse("čaro"), Ok("orač".to_owned()));
        let too_long = TemplateNameError::TooLong {
            characters: 5,
            limit: 4,
        };
        assert_eq!(submodule.reverse("kniha"), Err(too_long));
    }
}
