"""A bundle answering over HTTP. Copied into bundles as app/server, so it imports nothing of nbdeploy.

    python app/server                       serve the bundle that this folder lies in
    python app/server token NAME --tokens FILE    make a token, once

It needs what requirements.txt beside it names, and neither nbdeploy nor torch.
"""
