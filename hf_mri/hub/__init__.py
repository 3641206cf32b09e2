"""From a finished model to its page on the Hub."""

from hf_mri.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Published": "publishing",
        "assemble": "bundle",
        "check_card": "card",
        "find_published": "model_cards",
        "list_published": "model_cards",
        "publish": "publishing",
        "push_dataset": "pushing",
        "write_bundle": "bundle",
        "write_card": "card",
    },
)
