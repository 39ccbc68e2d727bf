"""An editor that runs elsewhere: a provider of the Hub's inference, or a server that speaks the same protocol. It is used only
by whoever makes one: pictures and texts leave this machine, and whoever runs the server sees them."""

import io
import warnings
from typing import Any

from PIL import Image

from smile.errors import InputError, shown_error
from smile.models.protocols import check_region

UNSEEDED = (
    "The server takes no seed, so two edits of one text differ by chance; ask for several seeds (seeds=3), and believe "
    "only what is above the noise floor."
)


class RemoteEditor:
    """`model`: a repository, or the address of a server. `provider`: one of the Hub's; by default its own choice. `settings`
    are sent along, for example steps under the provider's name num_inference_steps. The token is HF_TOKEN's, or the one that
    “hf auth login” stored. Edits are resized to the picture's size."""

    name, takes_region, batch_size, device = "remote", False, 4, "another machine"

    def __init__(self, model: str, *, provider: Any = None, working_size: int = 1024, timeout: float = 120, **settings: Any):
        from huggingface_hub import InferenceClient

        self.weights, self.working_size, self.settings, self._seeded = model, working_size, settings, True
        self._client = InferenceClient(model=model, provider=provider, timeout=timeout)

    def edit(self, image: Any, texts: list[str], *, seed: int, region: Any = None) -> list[Image.Image | None]:
        """As in `smile.models.protocols.Editor`; None where the server fails. Raises InputError where it refuses."""
        check_region(self, region)
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        made = {text: self._edit_one(buffer.getvalue(), text or " ", seed) for text in dict.fromkeys(texts)}
        fitted = {text: edit and edit.convert("RGB").resize(image.size) for text, edit in made.items()}
        return [fitted[text] for text in texts]

    def _edit_one(self, picture: bytes, text: str, seed: int) -> Image.Image | None:
        from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError

        try:
            return self._client.image_to_image(
                picture, prompt=text, **self.settings, **({"seed": seed} if self._seeded else {})
            )
        except (HfHubHTTPError, InferenceTimeoutError) as error:
            status = getattr(error.response, "status_code", None)
            if status in (400, 422) and self._seeded:
                warnings.warn(UNSEEDED, stacklevel=2)
                self._seeded = False
                return self._edit_one(picture, text, seed)
            if status is not None and status < 500:
                raise InputError(
                    f"The server does not edit ({shown_error(error)}); check model, provider and token."
                ) from error
            return None
