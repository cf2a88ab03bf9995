# cpu has PyTorch's build for the CPU, slim has no PyTorch, cuda is for NVIDIA's cards.
ARG VARIANT=cpu
# See docs/decisions/packaging.md#the-base-image-and-actions-are-pinned-by-digest.
ARG BASE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

# See docs/decisions/packaging.md#the-image-is-made-in-two-stages.
FROM $BASE AS packages
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements*.txt /build/
# Where PyTorch's build for the CPU is; all other packages come from PyPI.
ARG PIP_FIND_LINKS=https://download.pytorch.org/whl/cpu/torch/
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG VARIANT
RUN cd /build \
 && if [ "$VARIANT" != cpu ]; then mv "requirements-$VARIANT.txt" requirements.txt; fi \
 && python -m venv --without-pip /opt/packages \
 && python -m pip --python /opt/packages/bin/python install --no-deps --require-hashes \
      --only-binary :all: --requirement requirements.txt
# The packages' own tests and what only compilers read. XGBoost, scikit-learn and PyTorch each bring their
# own libgomp, so nothing is needed from Debian.
RUN cd /opt/packages/lib/python3.11/site-packages \
 && rm -rf torch/include torch/share torch/test torch/bin/protoc* torch/bin/test_* torch/lib/*_test.so \
 && find . -type d -name tests -prune -exec rm -r {} + \
 && find . -type f \( -name '*.h' -o -name '*.hpp' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.a' \) -delete

FROM $BASE
# What runs needs no installer, no Perl, and no file that gives whoever runs it other rights.
RUN dpkg --purge --force-depends --force-remove-essential perl-base \
 && find / -xdev -depth \( -path '*/*-packages/pip' -o -path '*/*-packages/pip-*' -o -path '*/*-packages/setuptools*' \
      -o -path '*/*-packages/wheel*' -o -path '*/*-packages/pkg_resources' -o -path '*/*-packages/_distutils_hack' \
      -o -path '*/*-packages/distutils-precedence.pth' -o -path '*/python3*/ensurepip' \
      -o -path '*/bin/pip*' -o -path '*/share/python-wheels' \) -exec rm -rf {} + \
 && find / -xdev -type f -perm /6000 -exec chmod ug-s {} +
COPY --from=packages /opt/packages /opt/packages
WORKDIR /opt/ordergap
COPY --from=packages /build/requirements.txt ./
COPY LICENSE entrypoint.sh ./
COPY container/ordergap ordergap
ENV PATH=/opt/packages/bin:$PATH
RUN python -m compileall -q ordergap && chmod -R a+rX . && chmod a+x entrypoint.sh \
 && printf '#!/bin/sh\nexec python -m ordergap "$@"\n' > /opt/packages/bin/ordergap \
 && chmod a+x /opt/packages/bin/ordergap

# See docs/decisions/packaging.md#the-image-has-no-user-of-its-own.
# Safe path: a file named like one of ours in the user's folder does not take its place.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/ordergap \
    PYTHONSAFEPATH=1
ARG BASE
ARG VARIANT
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true \
      org.opencontainers.image.title="Ordergap" \
      org.opencontainers.image.description="Tells a shop when each customer will buy next" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/$BASE" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE" \
      ordergap.variant="$VARIANT"
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["/opt/ordergap/entrypoint.sh"]
CMD ["train"]
