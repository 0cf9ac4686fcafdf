"""Keep answering while providers fail: who is asked, in which order, how often, and at what price."""
