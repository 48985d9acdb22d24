/** The public constants of the two web apps: they identify the app and grant nothing. */
export const PROVIDERS = {
  thermoworks: {
    apiKey: 'AIzaSyCf079iccUFc1k7VHdGXng22zXDy8Y3KEY',
    appId: '1:78998049458:web:b41e9d405d8c7de95eefab',
    referer: 'https://cloud.thermoworks.com/',
  },
  eti: {
    apiKey: 'AIzaSyBD4snlT2LllO4k0NywX5qYjJ7M7WfU4_I',
    appId: '1:701566661301:web:7a9bc711c05985ead144fc',
    referer: 'https://cloud.etiltd.com/',
  },
};

/** Where both are reached. */
export const CLOUD_HOSTS = {
  firebase: 'https://firebase.googleapis.com',
  identity: 'https://identitytoolkit.googleapis.com',
  token: 'https://securetoken.googleapis.com',
  firestore: 'https://firestore.googleapis.com',
  storage: 'https://firebasestorage.googleapis.com',
};
