//! A document as elements, and its text. All names get the prefix `mods:` when they are written.

/// The namespace of links, `xlink:href` and its like.
pub(crate) const XLINK: &str = "http://www.w3.org/1999/xlink";

/// An element: attributes, and either a text or children.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    pub(crate) name: &'static str,
    pub(crate) attributes: Vec<(&'static str, String)>,
    /// Empty if there are children.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
    pub(crate) layout: Layout,
}

/// White space that the original's way of editing left behind. It matters to nobody but those who compare bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    /// Blanks in front of the first line, beyond the indentation.
    pub(crate) before: usize,
    /// Blanks in front of whatever line comes after the element.
    pub(crate) after: usize,
    pub(crate) shape: Shape,
}

/// How an element's tags are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Shape {
    /// As XML is indented.
    #[default]
    Usual,
    /// Nothing inside, yet two tags on two lines, with so many blanks in front of the second.
    Open(usize),
    /// An empty tag, and the children after it.
    Beheaded,
}

impl Element {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    pub(crate) fn leaf(name: &'static str, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::new(name)
        }
    }

    pub(crate) fn with(mut self, attribute: &'static str, value: impl Into<String>) -> Self {
        self.set(attribute, value);
        self
    }

    pub(crate) fn containing(mut self, text: String) -> Self {
        self.text = text;
        self
    }

    pub(crate) fn holding(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Sets an attribute; one that is there keeps its place.
    pub(crate) fn set(&mut self, attribute: &'static str, value: impl Into<String>) {
        let value = value.into();
        match self.attributes.iter_mut().find(|(n, _)| *n == attribute) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((attribute, value)),
        }
    }

    pub(crate) fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(name, _)| *name == attribute)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, attribute: &str, value: &str) -> bool {
        self.get(attribute) == Some(value)
    }

    /// The first child of this name.
    pub(crate) fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.children.iter_mut().find(|child| child.name == name)
    }

    /// Neither text nor children.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.children.is_empty()
    }

    /// Calls `visit` for this element and all below it, in the order of the document, until one of the calls gives
    /// something.
    pub(crate) fn find_map<'a, T>(
        &'a self,
        visit: &mut impl FnMut(&'a Self) -> Option<T>,
    ) -> Option<T> {
        visit(self).or_else(|| self.children.iter().find_map(|child| child.find_map(visit)))
    }

    /// The same for changing them.
    pub(crate) fn find_map_mut<T>(
        &mut self,
        visit: &mut impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let found = visit(self);
        found.or_else(|| {
            self.children
                .iter_mut()
                .find_map(|child| child.find_map_mut(visit))
        })
    }

    /// Whether any element of the tree is such.
    pub(crate) fn any(&self, is_such: impl Fn(&Self) -> bool) -> bool {
        self.find_map(&mut |element| is_such(element).then_some(()))
            .is_some()
    }

    /// Calls `change` for every element of the tree.
    pub(crate) fn each_mut(&mut self, change: &mut impl FnMut(&mut Self)) {
        self.find_map_mut(&mut |element| {
            change(element);
            None::<()>
        });
    }

    /// Removes the children that are such, all the way down.
    pub(crate) fn prune(&mut self, is_such: &impl Fn(&Self) -> bool) {
        for child in &mut self.children {
            child.prune(is_such);
        }
        self.children.retain(|child| !is_such(child));
    }
}
