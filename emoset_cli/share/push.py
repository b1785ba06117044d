"""A shared model goes to the Hugging Face hub."""

from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.shared import MARK, checked_file, read_shared


def check_name(name: str) -> str:
    """The name of a repository, ``USER/NAME``.

    Raises:
        EmosetError: if it is none
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        name = ""
    if name.count("/") != 1:
        raise EmosetError("--push names no repository of the hub", "give USER/NAME, as --push ada/emodb-cnn")
    return name


def push(folder: Path, name: str, private: bool = False) -> str:
    """Upload the files that ``emoset.json`` lists, and no other; answer the address.

    The token is the one the hub's own client finds: of ``hf auth login`` or ``HF_TOKEN``.

    Args:
        folder: a shared model
        name: ``USER/NAME``; made where it is not there yet
        private: whether a new repository is seen by its owner only

    Raises:
        EmosetError: without a token or a network, or if the hub refuses
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    unreachable: Any = HfHubHTTPError.__bases__[0]  # all that the HTTP library of the hub's client raises
    files = [checked_file(folder, file, told) for file, told in read_shared(folder)["files"].items()]
    names = [file.relative_to(folder).as_posix() for file in files]
    later = f"the folder is written: hf upload {name} {folder}"
    try:
        if huggingface_hub.get_token() is None:
            raise LocalTokenNotFoundError("no token")
        api = huggingface_hub.HfApi()
        made = api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=name, folder_path=folder, allow_patterns=[*names, MARK], commit_message="Shared with emoset"
        )
    except LocalTokenNotFoundError:
        raise EmosetError(
            f"no token of the hub is here, so {name} was not uploaded", f"hf auth login, or set HF_TOKEN; {later}"
        ) from None
    except HfHubHTTPError as error:
        told = str(error).strip().splitlines()[0]
        raise EmosetError(
            f"the hub refused the upload to {name} ({told})", f"check the name and the token's rights; {later}"
        ) from None
    except (OfflineModeIsEnabled, unreachable, OSError) as error:
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EmosetError(
            f"the hub cannot be reached, so {name} was not uploaded ({told})", f"on a machine with internet; {later}"
        ) from None
    return str(made)
